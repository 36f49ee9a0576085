"""A movie's metadata come before it, after it, late or never: the incubation's decisions, without files or clocks."""

from __future__ import annotations

from warpcore.bus.messages import Acquisition, FoundFile, Header
from warpcore.services.discoverer.examining import Examined
from warpcore.services.discoverer.incubation import Incubation
from warpcore.services.discoverer.listing import Identity, Listing
from warpcore.services.discoverer.pairing import Pairing
from warpcore.services.readers.metadata.beside import NO_METADATA, ReadMetadata

ONE, TWO, CHANGED = (1000, 1), (1000, 2), (1001, 3)
HEADER = Header(8, 512, 512)
WAIT_S = 60.0


class Folder:
    """A data directory of a test: what lies in it is listed each second, and looked into as soon as it is due."""

    def __init__(self, incubation: Incubation | None = None) -> None:
        self.incubation = incubation or Incubation(1.0, 30.0)
        self.incubation.awaiting.wait_s = WAIT_S
        self.movies: dict[str, Identity] = {}
        self.metadata: dict[str, Identity] = {}
        self.damaged: set[str] = set()
        self.registered: list[tuple[float, FoundFile]] = []
        self.looks = 0
        self.now = 0.0

    def until(self, now: float) -> None:
        """Let time pass; what is ready is registered at once."""
        while self.now < now:
            self.incubation.listed(Listing(dict(self.movies), metadata=dict(self.metadata)), self.now)
            for path in self.incubation.due(self.now, 100):
                self.looks += 1
                self.incubation.examined(path, self._examined(path), self.now)
            batch = self.incubation.ready.batch()
            self.registered += [(self.now, file) for file in batch]
            self.incubation.acknowledged(batch)
            self.now += 0.5

    def _examined(self, path: str) -> Examined:
        source = self.incubation.awaiting.pairing.of(path)
        if source in self.damaged:
            read = ReadMetadata(None, source, "damaged XML; copy it again")
        elif source:
            read = ReadMetadata(told(source, self.metadata[source][1]), source, is_own=True)
        else:
            read = NO_METADATA
        return Examined(self.movies[path], header=HEADER, metadata=read)

    def sent(self, path: str) -> list[tuple[float, str]]:
        """When a movie was registered, and with which file of metadata."""
        return [
            (at, file.acquisition.source if file.acquisition else "")
            for at, file in self.registered
            if file.path == path
        ]


def told(source: str, mtime_ns: int) -> Acquisition:
    return Acquisition(source, mtime_ns, "epu", voltage_kv=200.0)


def test_metadata_that_come_first_are_registered_with_the_movie() -> None:
    folder = Folder()
    folder.metadata["a.xml"] = ONE
    folder.until(5.0)
    folder.movies["a.tif"] = ONE
    folder.until(10.0)
    assert folder.registered == [(6.0, FoundFile("a.tif", *ONE, HEADER, told("a.xml", 1)))]


def test_a_session_without_metadata_waits_for_none() -> None:
    folder = Folder()
    folder.movies = {f"{number}.tif": ONE for number in range(20)}
    folder.metadata = {"settings.xml": ONE, "notes.json": ONE}  # of no movie
    folder.until(3.0)
    assert [at for at, _ in folder.registered] == [1.0] * 20


def test_where_others_have_metadata_a_movie_waits_for_its_own_and_no_longer_than_set() -> None:
    folder = Folder()
    folder.movies["a.tif"] = folder.metadata["a.xml"] = ONE
    folder.until(5.0)
    folder.movies |= {"b.tif": ONE, "c.tif": ONE}
    folder.until(15.0)
    folder.metadata["b.xml"] = ONE
    folder.until(100.0)
    assert folder.sent("b.tif") == [(16.0, "b.xml")]
    assert folder.sent("c.tif") == [(5.0 + WAIT_S, "")]
    assert folder.looks < 10, "a movie that waits is not looked into again and again"


def test_files_that_only_microscopes_write_show_that_metadata_come() -> None:
    for name, waits in (("FoilHole_1_Data_2_3_20250101_1200.xml", True), ("x.mdoc", True), ("x.xml", False)):
        folder = Folder()
        folder.metadata[name] = ONE
        folder.movies["a.tif"] = ONE
        folder.until(10.0)
        assert bool(folder.registered) != waits, name


def test_a_wait_of_0_waits_for_nothing() -> None:
    folder = Folder()
    folder.incubation.awaiting.wait_s = 0.0
    folder.metadata["x.mdoc"] = ONE
    folder.movies["a.tif"] = ONE
    folder.until(3.0)
    assert folder.sent("a.tif") == [(1.0, "")]


def test_what_comes_later_or_changes_is_sent_again_with_the_same_file() -> None:
    folder = Folder()
    folder.movies["a.tif"] = ONE
    folder.until(5.0)
    folder.metadata["a.xml"] = ONE
    folder.until(10.0)
    folder.metadata["a.xml"] = CHANGED
    folder.until(15.0)
    assert folder.sent("a.tif") == [(1.0, ""), (6.0, "a.xml"), (11.0, "a.xml")]
    assert {(file.size, file.mtime_ns) for _, file in folder.registered} == {ONE}
    assert [file.acquisition.source_mtime_ns for _, file in folder.registered if file.acquisition] == [1, 3]
    folder.until(100.0)
    assert len(folder.registered) == 3, "once for each"


def test_metadata_that_change_while_the_scheduler_is_slow_are_sent_all_the_same() -> None:
    incubation = Incubation(1.0, 30.0)
    movies = {"a.tif": ONE}
    incubation.listed(Listing(movies), 0.0)
    assert incubation.due(1.0, 9) == ["a.tif"]
    incubation.examined("a.tif", Examined(ONE, header=HEADER), 1.0)
    batch = incubation.ready.batch()
    incubation.listed(Listing(movies, metadata={"a.xml": TWO}), 2.0)
    incubation.acknowledged(batch)
    incubation.listed(Listing(movies, metadata={"a.xml": TWO}), 3.0)
    assert incubation.due(3.0, 9) == ["a.tif"]
    read = ReadMetadata(told("a.xml", 2), "a.xml", is_own=True)
    incubation.examined("a.tif", Examined(ONE, header=HEADER, metadata=read), 3.0)
    batch = incubation.ready.batch()
    assert batch == [FoundFile("a.tif", *ONE, HEADER, told("a.xml", 2))]
    incubation.listed(Listing(movies, metadata={"a.xml": CHANGED}), 4.0)
    assert incubation.due(5.0, 9) == ["a.tif"]
    read = ReadMetadata(told("a.xml", 3), "a.xml", is_own=True)
    incubation.examined("a.tif", Examined(ONE, header=HEADER, metadata=read), 5.0)
    incubation.acknowledged(batch)  # those of before
    assert incubation.ready.batch() == [FoundFile("a.tif", *ONE, HEADER, told("a.xml", 3))]


def test_after_a_restart_only_metadata_that_have_changed_are_read_again() -> None:
    folder = Folder()
    files = [FoundFile(f"{n}.tif", *ONE, acquisition=Acquisition(f"{n}.xml", 1)) for n in range(50)]
    folder.incubation.learn(files)
    folder.movies = {file.path: ONE for file in files}
    folder.metadata = {f"{n}.xml": ONE for n in range(50)} | {"7.xml": CHANGED}
    folder.until(10.0)
    assert [file.path for _, file in folder.registered] == ["7.tif"]
    assert folder.looks == 1


def test_damaged_metadata_stop_nothing_and_are_named_until_they_are_mended() -> None:
    folder = Folder()
    folder.movies["a.tif"] = folder.movies["b.tif"] = ONE
    folder.metadata["a.xml"] = folder.metadata["b.xml"] = ONE
    folder.damaged = {"a.xml"}
    folder.until(50.0)
    assert folder.sent("b.tif") == [(1.0, "b.xml")]
    ((at, source),) = folder.sent("a.tif")
    assert source == ""
    assert 30.0 <= at < 40.0, "it may still be being written"
    assert folder.incubation.warnings == ["metadata of no use, a.xml: damaged XML; copy it again"]
    folder.damaged, folder.metadata["a.xml"] = set(), CHANGED
    folder.until(60.0)
    assert folder.sent("a.tif")[1][1] == "a.xml"
    assert folder.incubation.warnings == []


def test_many_damaged_files_are_few_warnings() -> None:
    pairing = Pairing()
    for number in range(100):
        pairing.note_fault(f"{number}.xml", "damaged")
    assert len(pairing.warnings) == 4
    assert pairing.warnings[-1] == "97 more files of metadata are of no use"


def test_the_first_metadata_of_a_session_find_all_movies_that_came_before() -> None:
    """However many scans without any lay between."""
    folder = Folder()
    for number in range(5):
        folder.movies[f"{number}.tif"] = ONE
        folder.until(5.0 * (number + 1))
    folder.metadata = {f"{number}.xml": TWO for number in range(5)}
    folder.until(40.0)
    assert [folder.sent(f"{number}.tif")[-1][1] for number in range(5)] == [f"{number}.xml" for number in range(5)]


def test_metadata_that_vanish_change_nothing() -> None:
    folder = Folder()
    folder.movies["a.tif"] = folder.metadata["a.xml"] = ONE
    folder.until(5.0)
    del folder.metadata["a.xml"]
    folder.until(10.0)
    assert folder.sent("a.tif") == [(1.0, "a.xml")]
    folder.metadata["a.xml"] = ONE
    folder.until(20.0)
    assert len(folder.registered) == 1, "it is the file that was read"


def test_a_look_for_metadata_that_was_cut_short_is_made_again_once_the_movie_is_back() -> None:
    """As where the data are away between a scan that shows the metadata and the look into the movie."""
    folder = Folder()
    folder.movies["a.tif"] = ONE
    folder.until(5.0)
    folder.metadata["a.xml"] = ONE
    folder.until(5.5)
    assert folder.incubation.due(6.0, 100) == ["a.tif"]
    folder.incubation.examined("a.tif", Examined(None), 6.0)
    folder.incubation.listed(Listing({}, away="the data directory is away"), 6.5)
    folder.now = 10.0
    folder.until(20.0)
    assert folder.sent("a.tif") == [(1.0, ""), (11.0, "a.xml")]


def test_a_change_that_is_undone_while_metadata_are_new_leaves_them_to_be_read() -> None:
    folder = Folder()
    folder.movies["a.tif"] = ONE
    folder.until(5.0)
    folder.metadata["a.xml"] = ONE
    folder.until(5.5)
    folder.movies["a.tif"] = CHANGED
    folder.until(6.0)
    folder.movies["a.tif"] = ONE
    folder.until(20.0)
    assert [source for _, source in folder.sent("a.tif")] == ["", "a.xml"]
    assert folder.looks == 2


def test_a_movie_that_is_replaced_is_registered_with_the_metadata_that_are_there() -> None:
    folder = Folder()
    folder.movies["a.tif"] = folder.metadata["a.xml"] = ONE
    folder.until(5.0)
    folder.movies["a.tif"] = CHANGED
    folder.until(10.0)
    assert folder.registered[1:] == [(6.0, FoundFile("a.tif", *CHANGED, HEADER, told("a.xml", 1)))]


def test_movies_that_wait_for_their_metadata_are_told_until_they_have_waited() -> None:
    folder = Folder()
    folder.movies["first.tif"], folder.metadata["first.xml"] = ONE, ONE
    folder.until(3.0)
    assert folder.incubation.notes == []
    folder.movies |= dict.fromkeys(("a.tif", "b.tif", "c.tif"), ONE)
    folder.until(6.0)
    assert folder.incubation.notes == ["3 movies wait for their metadata, up to 60 s (import.metadata_wait)"]
    folder.metadata["a.xml"] = ONE
    del folder.movies["b.tif"]
    folder.until(10.0)
    assert folder.incubation.notes == ["1 movie waits for its metadata, up to 60 s (import.metadata_wait)"]
    folder.until(70.0)
    assert folder.incubation.notes == []
    assert folder.sent("c.tif") == [(63.0, "")]
