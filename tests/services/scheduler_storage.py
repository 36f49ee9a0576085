"""A pure scheduler that looks at its folders, and workers that answer what they see."""

from __future__ import annotations

from tests.services.scheduler_world import World
from warpcore.bus import messages as wire
from warpcore.bus.vocabulary import StoragePlace
from warpcore.services.scheduler.core.effects import Effect, Send
from warpcore.services.scheduler.core.seeing import known_files
from warpcore.services.scheduler.core.stimuli import StorageLooked, Tick
from warpcore.services.storage.standing import Look

WELL = Look(free_bytes=10**12, total_bytes=10**13, free_inodes=10**6)
FULL = Look(free_bytes=3 * 10**8, total_bytes=10**13)
AWAY = Look(away="it is empty, as if its file system were not mounted")
SEEN = wire.FoundFile("", 100, 5)


class StorageWorld(World):
    """A world whose looks are told by hand: tokens are numbered, and the first known movie is seen."""

    token = 0

    def look(self, look: Look = WELL, place: StoragePlace = StoragePlace.PROCESSING, anchor: str | None = None) -> None:
        self.now += 2.0
        if place is StoragePlace.DATA:
            known = known_files(self.state)
            found = known[0].path if known and not (look.away or look.silent_s) else ""
            anchor = found if anchor is None else anchor
            self.do(StorageLooked(place, "/data", look, anchor=anchor, sought=bool(known)))
            return
        self.token += not (look.away or look.full)
        tokens = () if look.away or look.full else (f"token {self.token}", f"token {self.token + 1}")
        self.do(StorageLooked(place, "/processing", look, tokens))

    def look_at_all(self, look: Look = WELL) -> None:
        self.look(look)
        self.look(look, StoragePlace.DATA)

    def sees(
        self,
        name: str,
        *,
        token: str | None = None,
        data: bool = True,
        problem: str = "",
        looked_in: dict[str, str] | None = None,
        references: list[wire.SeenFile] | None = None,
    ) -> list[Effect]:
        """The worker answers the question that it was asked last."""
        size, mtime_ns = (SEEN.size, SEEN.mtime_ns) if data else (None, None)
        now = f"token {self.token}" if token is None else token
        anchor = self.state.storage.anchor
        found = wire.WorkerSees(name, now, anchor, size, mtime_ns, problem, looked_in or {}, references or [])
        return self.say(name, found)

    def tick(self, seconds: float = 0.5) -> list[Effect]:
        """Time passes, and all workers live."""
        self.now += seconds
        for worker in [one for one in self.state.workers.values() if one.alive]:
            self.say(worker.name, wire.Heartbeat(worker.name, "busy", list(worker.leases)))
        return self.do(Tick())


def questions(effects: list[Effect]) -> list[wire.LookAtFolders]:
    """What workers are asked."""
    return [one.message for one in effects if isinstance(one, Send) and isinstance(one.message, wire.LookAtFolders)]
