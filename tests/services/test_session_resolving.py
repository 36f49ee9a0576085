"""What a movie is processed with: setting before metadata before header before assumption; a pixel size never so."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from msgspec.structs import replace

from warpcore.bus.messages import Acquisition, Header
from warpcore.services.session.facts import facts_of
from warpcore.services.session.fingerprints import FingerprintPlan
from warpcore.services.session.learning import SessionPlan
from warpcore.services.session.pixel_size import header_doubt
from warpcore.services.session.resolving import for_fingerprints, resolved
from warpcore.services.session.settings import Settings, SettingsError, parse_settings

HEADER = Header(frames=40, height=4092, width=5760, pixel_size_angstrom=0.83)
EPU = Acquisition(
    "a.xml",
    1,
    "epu",
    voltage_kv=200.0,
    cs_mm=2.0,
    pixel_size_angstrom=0.82,
    image_width_px=5760,
    image_height_px=4092,
    exposure_dose=50.0,
    frames=40,
)


def values(settings: Settings) -> tuple[float | None, float | None, float | None, float | None]:
    """Voltage, Cs, dose of a frame, pixel size."""
    return settings.ctf.voltage, settings.ctf.cs, settings.import_.dose_per_frame, settings.import_.pixel_size


def test_metadata_win_over_the_header_and_are_named_as_the_source() -> None:
    told = resolved(Settings(), HEADER, EPU)
    assert values(told.settings) == (200.0, 2.0, 1.25, 0.82)
    names = ("ctf.voltage", "ctf.cs", "import.pixel_size", "import.dose_per_frame")
    assert told.sources == dict.fromkeys(names, "metadata")
    assert not told.conflicts
    assert not told.waits_for


def test_what_the_user_set_wins_over_all() -> None:
    given = {"ctf": {"voltage": 300.0}, "import": {"pixel_size": 0.825, "dose_per_frame": 1.0}}
    told = resolved(parse_settings(given), HEADER, EPU)
    assert values(told.settings) == (300.0, 2.0, 1.0, 0.825)
    assert told.sources == {
        "ctf.voltage": "setting",
        "ctf.cs": "metadata",
        "import.pixel_size": "setting",
        "import.dose_per_frame": "setting",
    }
    assert told.conflicts == {"ctf.voltage": "ctf.voltage is 300 kV, and the metadata says 200 kV"}


@pytest.mark.parametrize(
    ("imported", "header", "said"),
    [
        ({"dose_per_frame": 1.0}, HEADER, ""),
        ({"dose_per_frame": 0.8}, HEADER, "is 0.8 e⁻/Å² a frame, and the metadata says 1.2 e⁻/Å² a frame"),
        ({"dose_per_frame": 50.0}, HEADER, "is 50 e⁻/Å² a frame, and the metadata says 1.2 e⁻/Å² a frame"),
        ({"dose_per_frame": 0.0}, HEADER, ""),
        ({"dose_per_frame": 1.25, "eer_frames_per_group": 10}, replace(HEADER, frames=400, is_eer=True), ""),
        ({"dose_per_frame": 0.125, "eer_frames_per_group": 10}, replace(HEADER, frames=400, is_eer=True), "says 1.2"),
        ({"dose_per_frame": 0.125, "eer_dose_per_group": 1.25}, replace(HEADER, frames=400, is_eer=True), ""),
    ],
)
def test_a_dose_that_contradicts_the_setting_by_more_than_a_third_is_told_and_that_of_0_is_a_choice(
    imported: dict[str, Any], header: Header, said: str
) -> None:
    told = resolved(parse_settings({"import": imported}), header, EPU)
    assert told.settings.import_.dose_per_frame == imported["dose_per_frame"]
    assert told.conflicts.keys() == ({"import.dose_per_frame"} if said else set())
    assert said in told.conflicts.get("import.dose_per_frame", "")


def test_a_dose_that_no_setting_could_have_is_not_used() -> None:
    told = resolved(Settings(), HEADER, replace(EPU, exposure_dose=1e6))
    assert (told.settings.import_.dose_per_frame, told.sources["import.dose_per_frame"]) == (1.0, "assumed")
    assert told.conflicts["import.dose_per_frame"] == ("the metadata's 2.5e+04 e⁻/Å² a frame cannot be; it is not used")


def test_without_metadata_the_header_tells_the_pixel_size_and_the_rest_is_assumed() -> None:
    told = resolved(Settings(), HEADER, None)
    assert values(told.settings) == (300.0, 2.7, 1.0, 0.83)
    assert told.sources["import.pixel_size"] == "header"
    assert {told.sources[name] for name in ("ctf.voltage", "ctf.cs", "import.dose_per_frame")} == {"assumed"}


@pytest.mark.parametrize(
    ("angstrom", "said"),
    [
        (None, "pixel size unknown: set import.pixel_size"),
        (1.0, "pixel size unknown (its header says 1.00 Å exactly, which writers give that do not know it): set"),
        (0.001, "pixel size unknown (its header says 0.001 Å, which is not that of a movie): set"),
        (0.083, "its header says 0.083 Å, which is not that of a movie, perhaps 0.83 Å written as nm): set"),
        (0.11, "its header says 0.11 Å, which is not that of a movie, perhaps 1.1 Å written as nm): set"),
        (352_778.0, "its header says 3.528e+05 Å"),  # 72 dpi
        (float("nan"), "pixel size unknown: set import.pixel_size"),
        (-1.1, "pixel size unknown: set import.pixel_size"),
    ],
)
def test_a_pixel_size_that_nobody_tells_is_waited_for_and_never_assumed(angstrom: float | None, said: str) -> None:
    told = resolved(Settings(), Header(8, 512, 512, angstrom), None)
    assert said in told.waits_for
    assert told.settings.import_.pixel_size is None
    assert "import.pixel_size" not in told.sources
    header = Header(40, 4092, 5760, angstrom)
    for known in (resolved(Settings(), header, EPU), resolved(_pixel(1.1), header, None)):
        assert not known.waits_for


@pytest.mark.parametrize("angstrom", [0.3, 0.457, 0.83, 1.06, 1.35, 3.0, 8.0, 1.00001])
def test_usual_pixel_sizes_of_headers_are_believed(angstrom: float) -> None:
    assert not header_doubt(angstrom)


@pytest.mark.parametrize("angstrom", [0.001, 0.04, 51.0, 0.0, -1.0])
def test_an_implausible_pixel_size_is_refused_by_name(angstrom: float) -> None:
    with pytest.raises(SettingsError, match=r"^import\.pixel_size = "):
        _pixel(angstrom)


@pytest.mark.parametrize(
    ("image", "movie", "pixel"),
    [
        ((2880, 2046), (11520, 8184), 1.64 / 4),  # EPU: binning 2 of a camera whose movies have twice its pixels
        ((5760, 4092), (11520, 8184), 1.64 / 2),
        ((5760, 4092), (4092, 5760), 1.64),  # rotated
        ((5760, 4092), (2880, 2046), 1.64 * 2),
        ((None, None), (11520, 8184), 1.64),
    ],
)
def test_the_metadata_s_pixel_size_is_scaled_to_the_movie(
    image: tuple[int | None, int | None], movie: tuple[int, int], pixel: float
) -> None:
    told = Acquisition("a.xml", pixel_size_angstrom=1.64, image_width_px=image[0], image_height_px=image[1])
    found = resolved(Settings(), Header(40, movie[1], movie[0]), told)
    assert found.settings.import_.pixel_size == pytest.approx(pixel, rel=1e-5)  # six digits are kept


def test_the_pixel_size_of_an_image_that_is_no_binning_of_the_movie_is_not_used() -> None:
    told = Acquisition("a.xml", pixel_size_angstrom=1.64, image_width_px=4096, image_height_px=4096)
    found = resolved(Settings(), HEADER, told)
    assert found.settings.import_.pixel_size == 0.83
    assert "1.64 Å are those of an image of 4096 px, and the movie has 5760 px" in found.conflicts["import.pixel_size"]


@pytest.mark.parametrize(
    ("header", "metadata", "given", "said"),
    [
        (0.83, 0.86, None, "the metadata says pixels of 0.86 Å, and the header says 0.83 Å"),
        (0.83, 0.84, None, ""),  # 1.2 %
        (0.83, None, 0.86, "import.pixel_size is 0.86 Å, and the header says 0.83 Å"),
        (0.83, 0.83, 1.66, "import.pixel_size is 1.66 Å, and the metadata says 0.83 Å"),
        (1.0, 0.83, None, ""),  # a header that is not believed contradicts nothing
        (0.83, 0.001, None, "the metadata's 0.001 Å cannot be; it is not used"),
    ],
)
def test_pixel_sizes_that_differ_by_more_than_2_percent_are_told(
    header: float, metadata: float | None, given: float | None, said: str
) -> None:
    told = Acquisition("a.xml", pixel_size_angstrom=metadata)
    settings = Settings() if given is None else _pixel(given)
    assert resolved(settings, Header(8, 512, 512, header), told).conflicts.get("import.pixel_size", "") == said


@pytest.mark.parametrize(
    ("settings", "dose"),
    [
        ({"eer_groups": 40}, 0.05 * 25),  # the dose of a fraction of 1000 // 40 raw frames
        ({"eer_groups": None, "eer_frames_per_group": 32}, 0.05 * 32),
        ({"eer_dose_per_group": 0.75}, 0.05),  # then the setting is the dose of a raw frame
        ({"eer_groups": None}, 0.05),
    ],
)
def test_the_dose_of_an_eer_is_meant_as_the_setting_means_it(settings: dict[str, Any], dose: float) -> None:
    told = Acquisition("EER header", exposure_dose=50.0)
    eer = Header(1000, 4096, 4096, 0.95, is_eer=True)
    found = resolved(parse_settings({"import": settings}), eer, told)
    assert found.settings.import_.dose_per_frame == pytest.approx(dose)


def test_the_gain_that_metadata_name_is_compared_by_its_name_where_it_has_a_number() -> None:
    def said(path: str, named: str) -> str:
        settings = parse_settings({"import": {"gain_path": path}})
        told = Acquisition("a.mdoc", gain_reference=named)
        return resolved(settings, HEADER, told).conflicts.get("import.gain_path", "")

    named = r"C:\ProgramData\CountRef_20250311.dm4"
    assert said("/d/CountRef_20250301.mrc", named) == (
        "import.gain_path is CountRef_20250301.mrc, and the metadata names CountRef_20250311.dm4"
    )
    for same in ("/d/CountRef_20250311.mrc", "/d/countref_20250311.dm4", "/d/gain.mrc", "/d/gain_x1m2.mrc"):
        assert not said(same, named)


def test_values_equal_to_the_former_defaults_give_the_former_fingerprints() -> None:
    """As they were before movies could tell: those of settings with nothing told."""
    former = FingerprintPlan(Settings()).wanted(10, 20)
    explicit = parse_settings({"ctf": {"voltage": 300.0, "cs": 2.7}, "import": {"dose_per_frame": 1.0}})
    assert FingerprintPlan(explicit).wanted(10, 20) == former
    same = Acquisition("a.xml", voltage_kv=300.0, cs_mm=2.7, exposure_dose=40.0)
    for header, acquisition in itertools.product((None, HEADER), (None, same)):
        told = resolved(Settings(), header, acquisition)
        assert FingerprintPlan(for_fingerprints(told, is_eer=False)).wanted(10, 20) == former
    other = resolved(Settings(), HEADER, EPU)
    assert FingerprintPlan(for_fingerprints(other, is_eer=False)).wanted(10, 20) != former


def test_fingerprints_of_eers_count_the_rendered_pixel_as_results_of_before_do() -> None:
    """Then the setting was taken for the rendered pixel, upsampled or not."""
    eer = Header(1000, 4096, 4096, is_eer=True)

    def made(pixel: float, upsampling: int) -> dict[str, str]:
        settings = parse_settings({"import": {"pixel_size": pixel, "eer_upsampling": upsampling}})
        return FingerprintPlan(for_fingerprints(resolved(settings, eer, None), is_eer=True)).wanted(10, 20)

    def before(pixel: float, upsampling: int) -> dict[str, str]:
        settings = parse_settings({"import": {"pixel_size": pixel, "eer_upsampling": upsampling}})
        return FingerprintPlan(settings).wanted(10, 20)

    assert made(0.9, 1) == before(0.9, 1)
    assert made(0.9, 2) == before(0.45, 2)
    assert made(0.9, 2) != before(0.9, 2), "those had a doubled pixel"


def test_movies_of_which_the_same_is_told_share_one_plan_whatever_their_place() -> None:
    plan = SessionPlan(Settings(), "", {})
    made = {
        id(plan.of(facts_of(HEADER, replace(EPU, source=f"{number}.xml", beam_shift_x=number / 7, hole=str(number)))))
        for number in range(100)
    }
    assert len(made) == 1
    doses = {id(plan.of(facts_of(HEADER, replace(EPU, exposure_dose=50 + n * 1e-4)))) for n in range(40)}
    assert len(doses) == 1, "measured doses jitter"


def _pixel(angstrom: float) -> Settings:
    return parse_settings({"import": {"pixel_size": angstrom}})
