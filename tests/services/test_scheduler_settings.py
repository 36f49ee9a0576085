"""Settings touch exactly the movies and steps that they change."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from tests.services.scheduler_world import CHAIN, World, finished
from warpcore.bus import messages as wire
from warpcore.services.scheduler.core.effects import CutLog, Publish, RestoreOutputs, SaveMovie, SaveSettings
from warpcore.services.scheduler.core.placing_outputs import REPEAT_AFTER_S
from warpcore.services.scheduler.core.stimuli import (
    ChangeSettings,
    OutputsMissing,
    OutputsRestored,
    PlacingFailed,
    RestoringFailed,
    Tick,
)
from warpcore.services.scheduler.store.database import Store
from warpcore.services.scheduler.store.restoring import restore
from warpcore.services.session.generations import Generation
from warpcore.services.session.settings import parse_settings, patch_settings


def test_a_changed_ctf_range_runs_ctf_and_what_follows_it_and_back_again_nothing() -> None:
    world = finished("a.tif")
    assert world.tasks["a"].run == CHAIN
    world.ask(wire.PauseProcessing())
    assert world.patch(ctf={"range_max": 5.0}).outdated == 1
    assert world.movie("a").outdated_steps == ["ctf", "export"]
    assert world.patch(ctf={"range_max": 4.0}).outdated == 0
    assert world.status("a") == "processed"
    world.patch(ctf={"range_max": 5.0})
    world.ask(wire.StartProcessing())
    assert world.tasks["a"].run == ["ctf", "export"]
    assert world.tasks["a"].stored == world.movie("a").fingerprints
    assert set(world.tasks["a"].results) == set(CHAIN)


def test_picking_switched_on_runs_picking_alone_and_switched_off_and_on_nothing() -> None:
    world = finished("a.tif")
    world.patch(picking={"diameter": 120.0})
    assert world.tasks["a"].run == ["picking"]
    world.finish("a", picking={"count": 0})
    assert world.movie("a").filter_reasons == ["particles 0 is below 1"]
    lease = world.tasks["a"].lease
    world.patch(picking={"enabled": False})
    assert world.status("a") == "processed"
    assert "picking" not in world.movie("a").results
    world.patch(picking={"enabled": True})
    assert world.status("a") == "filtered_out"
    assert world.tasks["a"].lease == lease


def test_outputs_of_earlier_settings_are_put_back_and_nothing_runs() -> None:
    world = finished("a.tif")
    before = world.movie("a")
    world.keeps = True
    generation = Generation(before.fingerprints, before.results, dict(world.state.by_name["a"].outputs))
    world.patch(ctf={"range_max": 5.0})
    task = world.tasks["a"]
    world.finish("a")
    settings = patch_settings(world.state.settings, {"ctf": {"range_max": 4.0}})
    effects = world.do(ChangeSettings(settings, ""))
    (restore,) = [effect for effect in effects if isinstance(effect, RestoreOutputs)]
    assert (restore.name, restore.key) == ("a", generation.key)
    assert restore.present.fingerprints == {**generation.fingerprints, **{step: task.wanted[step] for step in task.run}}
    assert world.status("a") == "outdated"
    assert world.ask(wire.RetryItem("a", force=True)).code == "conflict"
    world.do(OutputsRestored(1, generation, [generation.key, restore.present.key]))
    assert world.movie("a") == before
    assert world.tasks["a"] is task, "nothing ran"
    world.patch(ctf={"range_max": 5.0})
    assert world.state.by_name["a"].restoring == restore.present.key
    world.do(OutputsRestored(1, None, []))
    assert world.tasks["a"].run == ["ctf", "export"], "they were gone, so it runs"


def test_outputs_that_storage_does_not_let_be_put_back_are_put_back_later_and_nothing_runs() -> None:
    world = finished("a.tif")
    world.keeps = True
    movie = world.state.by_name["a"]
    generation = Generation(movie.fingerprints, movie.results, movie.outputs)
    world.patch(ctf={"range_max": 5.0})
    world.finish("a")
    world.patch(ctf={"range_max": 4.0})
    world.do(RestoringFailed(1, "/p/average/a.mrc: No space left"))
    assert "/p/average/a.mrc: No space left" in world.ask(wire.GetProcessing()).warnings
    world.now += REPEAT_AFTER_S
    (again,) = [effect for effect in world.do(Tick()) if isinstance(effect, RestoreOutputs)]
    assert (again.key, again.present.fingerprints) == (generation.key, {}), "what is on disk may be mixed"
    assert not [effect for effect in world.do(Tick()) if isinstance(effect, RestoreOutputs)], "asked for once"
    world.do(OutputsRestored(1, generation, [generation.key]))
    assert world.status("a") == "processed"
    assert world.ask(wire.GetProcessing()).warnings == []


def test_outputs_that_could_not_be_placed_are_unknown_so_their_steps_run() -> None:
    world = finished("a.tif")
    world.patch(ctf={"range_max": 5.0})
    world.stands = True
    world.finish("a")
    world.say("w", wire.Goodbye("w"))
    world.do(PlacingFailed(world.tasks["a"].lease, "a folder is in the way", again=False))
    world.patch(ctf={"range_max": 4.0})
    assert world.movie("a").outdated_steps == ["ctf", "export"]
    assert set(world.movie("a").fingerprints) == {"motion"}


def test_filters_are_judged_anew_without_any_task() -> None:
    world = finished("a.tif")
    lease = world.tasks["a"].lease
    world.patch(filter={"resolution_max": 3.5})
    assert world.status("a") == "filtered_out"
    assert world.movie("a").filter_reasons == ["resolution 4 Å is above 3.5"]
    assert world.ask(wire.SelectItem("a", "include")).movie.status == "processed"
    assert world.ask(wire.SelectItem("a", "auto")).movie.status == "filtered_out"
    world.patch(filter={"resolution_max": 4.5})
    assert world.status("a") == "processed"
    assert world.tasks["a"].lease == lease


def test_settings_changed_while_it_runs_only_what_is_missing_runs_again() -> None:
    world = World("a.tif")
    world.worker("w", credit=1)
    world.patch(ctf={"range_max": 5.0})
    world.finish("a")
    assert world.tasks["a"].run == ["ctf", "export"]
    assert world.status("a") == "queued"
    world.patch(ctf={"range_max": 4.0})
    world.finish("a")
    assert world.tasks["a"].run == ["ctf", "export"]


def test_settings_changed_while_it_runs_and_back_again_it_is_done() -> None:
    world = World("a.tif", workers=("w",))
    world.patch(ctf={"range_max": 5.0})
    world.patch(ctf={"range_max": 4.0})
    world.finish("a")
    assert world.status("a") == "processed"


def test_equal_settings_change_nothing_and_say_nothing() -> None:
    world = finished("a.tif")
    before = (world.state.seq, world.state.revision)
    assert world.patch(ctf={"range_max": 4.0}).revision == before[1]
    assert world.state.seq == before[0]


def test_settings_that_touch_the_failed_step_are_a_new_chance_and_others_are_not() -> None:
    world = World("a.tif", workers=("w",))
    world.fail("a", "input")
    world.patch(filter={"resolution_max": 3.0})
    world.patch(picking={"diameter": 120.0})
    assert world.status("a") == "failed"
    world.patch(ctf={"voltage": 200.0})
    assert world.status("a") == "queued"


def test_a_failure_under_settings_that_were_changed_meanwhile_does_not_count() -> None:
    world = World("a.tif", workers=("w",))
    world.patch(ctf={"voltage": 200.0})
    world.fail("a", "input")
    assert world.status("a") == "queued"
    world.fail("a", "input")
    assert world.status("a") == "failed"


def test_another_gain_file_outdates_everything() -> None:
    world = finished("a.tif")
    world.ask(wire.PauseProcessing())
    world.do(ChangeSettings(world.state.settings, "gain:2"))
    assert world.movie("a").outdated_steps == CHAIN


def test_a_change_of_very_many_movies_sends_subscribers_to_a_snapshot() -> None:
    world = finished("a.tif", "b.tif", "c.tif")
    world.ask(wire.PauseProcessing())
    world.state.bulk_changes = 3
    settings = patch_settings(world.state.settings, {"ctf": {"range_max": 5.0}})
    effects = world.do(ChangeSettings(settings, ""))
    assert [effect.seq for effect in effects if isinstance(effect, CutLog)] == [world.state.seq]
    assert [effect.topic for effect in effects if isinstance(effect, Publish)] == ["settings.changed"]
    assert not [effect for effect in effects if isinstance(effect, SaveMovie)]
    assert world.state.counts["outdated"] == 3


def test_outputs_gone_from_disk_run_their_step_and_those_after() -> None:
    world = finished("a.tif")
    made_with = world.movie("a").fingerprints
    world.ask(wire.PauseProcessing())
    world.do(OutputsMissing(1, {"ctf": "older"}))
    assert world.status("a") == "processed", "it was made anew since the look"
    world.do(OutputsMissing(1, {"ctf": made_with["ctf"]}))
    assert world.movie("a").outdated_steps == ["ctf", "export"]


def test_outputs_of_picking_gone_run_the_export_only_where_particles_are_exported() -> None:
    for particles, again in ((False, ["picking"]), (True, ["picking", "export"])):
        settings = parse_settings({"picking": {"diameter": 120.0}, "export": {"particles": particles}})
        world = finished("a.tif", settings=settings)
        made_with = world.movie("a").fingerprints
        world.ask(wire.PauseProcessing())
        world.do(OutputsMissing(1, {"picking": made_with["picking"]}))
        assert world.movie("a").outdated_steps == again


def preview(world: World, **sections: dict[str, object]) -> wire.SettingsEffect:
    settings = patch_settings(world.state.settings, sections)
    reply = world.reply(world.do(ChangeSettings(settings, "", dry=True)))
    assert isinstance(reply.effect, wire.SettingsEffect)
    return reply.effect


def test_a_dry_change_says_what_would_happen_and_changes_nothing() -> None:
    world = finished("a.tif", "b.tif")
    world.ask(wire.PauseProcessing())
    before, movies = world.state.seq, [world.movie("a"), world.movie("b")]

    def dry(**sections: dict[str, object]) -> wire.SettingsEffect:
        return preview(world, **sections)

    effect = dry(ctf={"range_max": 5.0})
    assert effect == wire.SettingsEffect(["ctf.range_max"], {"ctf": 2, "export": 2}, 2, 0, 0, 0, 0)
    assert dry(filter={"resolution_max": 3.0}).rejected == 2
    limits = dry(filter={"limits": {"ctf.defocus_um": [3.0, None]}})
    assert (limits.changed, limits.rejected, limits.runs) == (["filter.limits"], 2, {})
    assert dry().changed == []
    assert (world.state.seq, [world.movie("a"), world.movie("b")]) == (before, movies)
    assert world.patch(ctf={"range_max": 5.0}).effect == effect, "what it said is what it does"
    assert dry(ctf={"range_max": 4.0}).kept == 2, "the results are still those, nothing has run"


def test_excluded_movies_do_not_count_and_those_that_wait_already_do() -> None:
    world = finished("a.tif", "b.tif")
    world.ask(wire.PauseProcessing())
    world.ask(wire.SelectItem("b", "exclude"))
    assert world.patch(ctf={"range_max": 5.0}).effect.movies == 1
    effect = world.patch(ctf={"range_max": 6.0}).effect
    assert (effect.movies, effect.runs) == (1, {"ctf": 1, "export": 1})


def test_settings_set_back_say_that_kept_results_fit() -> None:
    world = finished("a.tif")
    world.keeps = True
    world.patch(ctf={"range_max": 5.0})
    world.finish("a")
    effect = world.patch(ctf={"range_max": 4.0}).effect
    assert (effect.kept, effect.movies, effect.runs) == (1, 0, {})


def test_a_preview_tells_what_the_filter_will_say_of_results_that_come_back(tmp_path: Path) -> None:
    where = {"data_directory": "/data", "processing_directory": "/processing"}
    world = World()
    with closing(Store(tmp_path / "state.db", **where)) as store:
        world.store_into(store)
        world.files("a.tif", "b.tif")
        world.worker("w", credit=1)
        for name, resolution in (("a", 4.5), ("b", 3.5)):
            world.finish(name, ctf={"resolution_angstrom": resolution})
        movies = world.state.movies.values()
        made = {movie.id: Generation(movie.fingerprints, movie.results, movie.outputs) for movie in movies}
        world.keeps = True
        world.patch(ctf={"range_max": 5.0})
        for name in ("a", "b"):
            world.finish(name, ctf={"resolution_angstrom": 8.0})
        store.commit()
        world.state = restore(store.load(), now=world.now, wall=world.now, **where)
    assert [world.status(name) for name in "ab"] == ["filtered_out", "filtered_out"]

    def counts(effect: wire.SettingsEffect) -> tuple[int, int, int, int]:
        return effect.movies, effect.kept, effect.rejected, effect.accepted

    assert counts(preview(world, ctf={"range_max": 4.0})) == (0, 2, 0, 2)
    assert counts(preview(world, ctf={"range_max": 4.0}, filter={"resolution_max": 4.0})) == (0, 2, 0, 1)
    said = preview(world, ctf={"range_max": 4.0}, filter={"resolution_max": 3.0})
    assert counts(said) == (0, 2, 0, 0)
    world.patch(filter={"resolution_max": None})
    assert counts(preview(world, ctf={"range_max": 4.0}, filter={"resolution_max": 4.0})) == (0, 2, 1, 0)
    world.patch(ctf={"range_max": 4.0})
    for id, generation in made.items():
        world.do(OutputsRestored(id, generation, [generation.key]))
    assert world.ask(wire.GetProcessing()).counts["processed"] == 2
    assert counts(preview(world, filter={"resolution_max": 4.0})) == (0, 0, 1, 0)


def test_movies_that_wait_and_whose_results_fit_again_are_judged_in_a_preview() -> None:
    world = finished("a.tif", "b.tif")
    world.ask(wire.PauseProcessing())
    world.patch(ctf={"range_max": 5.0})
    effect = preview(world, ctf={"range_max": 4.0}, filter={"resolution_max": 3.0})
    assert (effect.kept, effect.rejected, effect.accepted) == (2, 2, 0)


def test_settings_that_were_set_aside_stay_so_until_they_get_a_new_value() -> None:
    world = World()
    world.state.set_aside = {"ctf.volts": 300, "ctf.voltage": -1.0, "old": {"x": 1}}
    assert len(world.ask(wire.GetProcessing()).warnings) == 3
    settings = patch_settings(world.state.settings, {"ctf": {"voltage": 200.0}})
    (saved,) = [one for one in world.do(ChangeSettings(settings, "")) if isinstance(one, SaveSettings)]
    assert saved.set_aside == {"ctf.volts": 300, "old": {"x": 1}}
    world.do(ChangeSettings(settings, "", whole=True))
    assert world.ask(wire.GetProcessing()).warnings == []
