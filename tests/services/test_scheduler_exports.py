"""Export jobs, movie by movie."""

from __future__ import annotations

from tests.services.reports import made
from tests.services.scheduler_world import RESULTS, World, finished
from warpcore.bus import messages as wire
from warpcore.services.scheduler.core.effects import DropExport, Effect, PlaceOutputs, RemoveExport
from warpcore.services.scheduler.core.stimuli import ExportRemoved, FromControl, Started, Tick
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
    assert (done.state, done.done, done.files) == ("done", 2, ["exports/job-1/a.xml", "exports/job-1/b.xml"])
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
    assert (done.state, done.files) == ("done", ["particles.star", "particles/job-1/a.xml"])


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


def deleting(*paths: str) -> tuple[World, str]:
    """A world whose worker has done these movies and holds one of a job, and the name of that job."""
    world = finished(*paths)
    return world, world.ask(wire.StartExport("micrographs", {"halves": True})).job


def removals(effects: list[Effect]) -> list[RemoveExport]:
    return [effect for effect in effects if isinstance(effect, RemoveExport)]


def test_each_job_has_a_folder_of_its_own_and_the_movie_lists_none_of_its_files() -> None:
    world = finished("a.tif", settings=parse_settings({"picking": {"diameter": 100.0}}))
    outputs = world.state.by_name["a"].outputs
    before = world.disk.outputs()
    folders = []
    for kind in ("particles", "micrographs", "particles"):
        job = world.ask(wire.StartExport(kind))
        assert world.tasks["a"].folder == job.folder
        world.finish("a")
        folders.append(job.folder)
        assert world.ask(wire.GetExport(job.job)).files == [f"{job.folder}/a.xml"]
    assert folders == ["particles/job-1", "exports/job-2", "particles/job-3"]
    assert world.state.by_name["a"].outputs == outputs
    assert {path: world.disk.outputs()[path] for path in before} == before, "the session's own files are as they were"
    assert set(world.disk.outputs()) - set(before) == {f"{folder}/a.xml" for folder in folders}


def test_a_job_that_has_written_nothing_tells_no_folder() -> None:
    """As of averages that another program has made, which are not written again."""
    world = finished("a.tif")
    job = world.ask(wire.StartExport("micrographs"))
    assert job.folder == "exports/job-1", "files come"
    world.report("w", world.tasks["a"], {"export": RESULTS["export"]}, {"export": {}})
    (head,) = world.ask(wire.GetExports()).jobs
    assert (head.state, head.done, head.folder) == ("done", 1, "")


def test_a_deleted_job_is_forgotten_once_its_folder_is_gone_and_its_number_is_not_given_again() -> None:
    world, job = deleting("a.tif")
    world.finish("a")
    effects = world.do(FromControl(wire.DeleteExport(job)))
    assert removals(effects) == [RemoveExport(job, "exports/job-1")]
    assert [one.state for one in world.ask(wire.GetExports()).jobs] == ["deleting"]
    assert removals(world.do(FromControl(wire.DeleteExport(job)))) == [], "it is being deleted already"
    gone = world.do(ExportRemoved(job))
    assert DropExport(job, (1,), 1) in gone
    assert world.ask(wire.GetExports()).jobs == []
    assert world.ask(wire.DeleteExport(job)).code == "not_found"
    assert world.ask(wire.StartExport("micrographs")).job == "job-2"
    topics = [topic for topic in world.topics() if topic.startswith("export.")]
    assert topics[-3:] == ["export.deleting", "export.deleted", "export.started"]


def test_deleting_a_running_job_takes_its_leases_back_and_a_late_report_changes_nothing() -> None:
    world, job = deleting("a.tif", "b.tif")
    task = world.tasks["a"]
    assert removals(world.do(FromControl(wire.DeleteExport(job)))) == [RemoveExport(job, "exports/job-1")]
    assert world.cancelled == [task.lease]
    before = world.disk.outputs()
    world.report("w", task, {"export": RESULTS["export"]}, made("export"))
    assert not any(path.startswith("exports/") for path in set(world.disk.outputs()) - set(before))
    assert not world.state.tasks
    world.patch(ctf={"range_max": 5.0})
    world.say("w", wire.PullTasks("w", 1))
    assert world.tasks["a"].purpose == "process", "the movie is free again"


def test_the_folder_goes_only_after_files_that_are_being_put_into_it() -> None:
    world, job = deleting("a.tif", "b.tif")
    world.stands = True
    task = world.tasks["a"]
    effects = world.report("w", task, {"export": RESULTS["export"]}, made("export"))
    (order,) = [effect for effect in effects if isinstance(effect, PlaceOutputs)]
    assert order.placement.target == "exports/job-1"
    assert removals(world.do(FromControl(wire.DeleteExport(job)))) == []
    assert removals(world.place(order)) == [RemoveExport(job, "exports/job-1")]
    assert world.state.exports[job].done == 0


def test_a_folder_that_cannot_be_deleted_is_told_and_tried_again() -> None:
    world, job = deleting("a.tif")
    world.ask(wire.DeleteExport(job))
    world.do(ExportRemoved(job, "/processing/exports/job-1: Stale file handle"))
    assert world.ask(wire.GetProcessing()).warnings == [
        "export job-1 is not deleted yet: /processing/exports/job-1: Stale file handle"
    ]
    world.now += 6.0
    assert removals(world.do(Tick())) == [RemoveExport(job, "exports/job-1")]
    assert removals(world.do(Started(""))) == [RemoveExport(job, "exports/job-1")], "a restart goes on with it"
    world.do(ExportRemoved(job))
    assert world.ask(wire.GetProcessing()).warnings == []


def test_a_summary_of_a_job_that_is_being_deleted_is_refused() -> None:
    world = finished("a.tif", settings=parse_settings({"picking": {"diameter": 100.0}}))
    job = world.ask(wire.StartExport("particles")).job
    world.finish("a")
    world.ask(wire.DeleteExport(job))
    assert world.ask(wire.ExportCollected(job, "particles/job-1/particles.star")).code == "conflict"


def test_numbers_go_on_after_folders_that_a_lost_state_has_left() -> None:
    world = finished("a.tif")
    world.do(Started("", last_export=7))
    assert world.ask(wire.StartExport("micrographs")).job == "job-8"
