"""Export jobs, movie by movie."""

from __future__ import annotations

from tests.services.scheduler_world import RESULTS, finished
from warpcore.bus import messages as wire
from warpcore.services.session.settings import parse_settings


def test_micrographs_are_exported_movie_by_movie() -> None:
    world = finished("a.tif", "b.tif")
    fingerprints = world.movie("a").fingerprints
    job = world.ask(wire.StartExport("micrographs", {"halves": True}))
    assert (job.state, job.total, job.done) == ("running", 2, 0)
    task = world.tasks["a"]
    assert (task.purpose, task.run) == (job.job, ["export"])
    assert task.settings["export"]["halves"]
    assert not task.settings["export"]["average"]
    assert task.results["ctf"] == RESULTS["ctf"]
    world.progress("a", "export")
    assert world.status("a") == "processed"
    world.finish("a")
    world.finish("b")
    done = world.ask(wire.GetExport(job.job))
    assert (done.state, done.done, done.files) == ("done", 2, ["a.xml", "b.xml"])
    assert world.movie("a").fingerprints == fingerprints
    assert [topic for topic in world.topics() if topic.startswith("export.")] == [
        "export.started",
        "export.progress",
        "export.done",
    ]


def test_particles_are_collected_by_the_tracker() -> None:
    world = finished("a.tif", settings=parse_settings({"picking": {"diameter": 100.0}}))
    job = world.ask(wire.StartExport("particles", {"box_size": 64})).job
    assert world.tasks["a"].settings["export"]["particles"]
    world.finish("a")
    assert world.ask(wire.GetExport(job)).state == "collecting"
    assert world.ask(wire.ExportCollected(job, "particles.star")) == wire.Ok()
    assert world.ask(wire.ExportCollected(job, "other.star")) == wire.Ok()
    done = world.ask(wire.GetExport(job))
    assert (done.state, done.files) == ("done", ["particles.star", "a.xml"])


def test_a_job_counts_the_particles_that_its_movies_tell() -> None:
    world = finished("a.tif", "b.tif", "c.tif", settings=parse_settings({"picking": {"diameter": 100.0}}))
    job = world.ask(wire.StartExport("particles", {"box_size": 64}))
    assert (job.particles, job.particles_at_edge) == (None, None)
    world.finish("a", export={"particle_count": 40, "particles_at_edge": 3})
    world.finish("b", export={"particle_count": 2, "particles_at_edge": 0})
    world.finish("c", export={"particle_count": "many"})
    (head,) = world.ask(wire.GetExports()).jobs
    assert (head.particles, head.particles_at_edge) == (42, 3)


def test_exports_that_cannot_be_are_refused() -> None:
    world = finished("a.tif")
    for kind, options in (
        ("micrographs", {"halfs": True}),
        ("micrographs", {"average": False}),
        ("micrographs", {"particles": True}),
        ("particles", {"box_size": 63}),
    ):
        assert world.ask(wire.StartExport(kind, options)).code == "invalid"
    assert world.ask(wire.StartExport("particles")).code == "conflict", "nothing is picked"
    assert world.ask(wire.StartExport("micrographs", {}, ["b"])).code == "not_found"
    world.ask(wire.SelectItem("a", "exclude"))
    assert world.ask(wire.StartExport("micrographs")).code == "conflict"


def test_processing_goes_before_exports_and_a_movie_in_export_is_not_processed_meanwhile() -> None:
    world = finished("a.tif", "b.tif")
    world.ask(wire.StartExport("micrographs"))
    assert world.tasks["a"].purpose != "process"
    world.patch(ctf={"range_max": 5.0})
    assert world.status("a") == "outdated"
    exported = world.tasks["a"]
    world.say("w", wire.PullTasks("w", 2))
    assert world.tasks["b"].purpose == "process", "b waits for its export until it is processed again"
    world.finish("a")
    assert world.tasks["a"].lease > exported.lease
    assert world.tasks["a"].purpose == "process"
    world.finish("a")
    world.finish("b")
    assert world.tasks["b"].purpose != "process"
    world.finish("b")
    assert [job.state for job in world.state.exports.values()] == ["done"]


def test_a_movie_that_fails_in_an_export_fails_there_only() -> None:
    world = finished("a.tif", "b.tif")
    job = world.ask(wire.StartExport("micrographs")).job
    world.fail("a", "input")
    for _ in range(3):
        world.fail("b", "internal")
    done = world.ask(wire.GetExport(job))
    assert (done.state, done.failed) == ("failed", 2)
    assert done.failures == [{"name": name, "message": "it went wrong"} for name in ("a", "b")]
    assert world.status("a") == "processed"


def test_a_cancelled_export_ends_what_runs_and_begins_nothing() -> None:
    world = finished("a.tif", "b.tif")
    job = world.ask(wire.StartExport("micrographs")).job
    assert world.ask(wire.CancelExport(job)).state == "cancelled"
    world.finish("a")
    assert not world.state.tasks
    done = world.ask(wire.GetExport(job))
    assert (done.state, done.done, done.total) == ("cancelled", 1, 2)


def test_the_files_of_a_large_job_come_in_pages() -> None:
    world = finished("a.tif")
    job = world.ask(wire.StartExport("micrographs")).job
    names = [f"average/{'x' * 80}{number}.mrc" for number in range(600)]
    task = world.tasks["a"]
    world.report("w", task, {}, {})
    record = world.state.exports[job]
    record.items[1].files = names * 20
    seen: list[str] = []
    after: int | None = 0
    while after is not None:
        page = world.ask(wire.GetExport(job, after))
        seen += page.files
        after = page.next_after
    assert seen == names * 20


def test_a_movie_that_is_excluded_while_its_export_waits_for_it_fails_in_the_job() -> None:
    world = finished("a.tif", "b.tif")
    job = world.ask(wire.StartExport("micrographs", {}, ["a", "b"])).job
    world.files("b.tif", size=2000)
    world.finish("a")
    world.fail("b", "resource")  # it waits for memory, and its export for it
    assert world.ask(wire.GetExport(job)).state == "running"
    world.ask(wire.SelectItem("b", "exclude"))
    world.say("w", wire.PullTasks("w", 1))
    ended = world.ask(wire.GetExport(job))
    assert (ended.state, ended.done, ended.failed) == ("done", 1, 1)
    assert "excluded" in ended.failures[0]["message"]
