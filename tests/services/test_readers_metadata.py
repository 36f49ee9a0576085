"""What is read of microscopes' metadata: EPU's XML, SerialEM's mdoc, EER headers, JSON by a template."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services.metadata_files import epu_xml, mdoc
from tests.services.movie_files import write_eer
from warpcore.bus.messages.acquisition import Acquisition
from warpcore.services.readers.metadata import MetadataError, parsed_template, read_eer_metadata, read_metadata
from warpcore.services.readers.metadata.beside import NO_METADATA, metadata_beside

EPU = "Images-Disc1/GridSquare_7/Data/FoilHole_2_Data_3_4_20250108_154918"


def epu(data: bytes) -> Acquisition:
    told = read_metadata(data, f"{EPU}.xml", f"{EPU}_Fractions.mrc")
    assert told is not None
    return told


def serialem(data: bytes, movie: str = "grid_0.tif") -> Acquisition:
    told = read_metadata(data, f"{movie}.mdoc", movie)
    assert told is not None
    return told


# Read by hand from the files, units converted.
REAL_VALUES: dict[str, dict[str, object]] = {
    "FoilHole_18890345_Data_18881924_18881926_20200320_090200.xml": {
        "voltage_kv": 300.0,
        "pixel_size_angstrom": 1.06847,
        "image_width_px": 4096,
        "exposure_dose": 40.0541,
        "exposure_s": 70.36,
        "frames": 40,
        "magnification": 75000.0,
        "beam_shift_x": -0.000474214,
        "beam_tilt_y": 0.015,
        "slit_width_ev": None,
        "defocus_applied_um": 3.25,
        "phase_plate": False,
        "stage_x_um": -438.543,
        "stage_alpha_degrees": -0.0144982,
        "hole": "18890345",
        "area": "18881924",
        "recorded_at": 1584694921.57,
        "camera": "BM-Falcon",
    },
    "FoilHole_22011316_Data_19957701_19957703_20200323_100235.xml": {
        "pixel_size_angstrom": 1.18367,
        "image_width_px": 3838,
        "image_height_px": 3710,
        "exposure_dose": 25.1794,
        "frames": 40,
        "slit_width_ev": 20.0,
        "defocus_applied_um": 2.2,
        "recorded_at": 1588316977.08,
    },
    "FoilHole_9015883_Data_9017354_6_20250108_154918.xml": {
        "pixel_size_angstrom": 1.05588,
        "image_width_px": 2880,
        "image_height_px": 2046,
        "exposure_dose": 14.5578,
        "exposure_s": 0.89,
        "frames": 50,
        "c2_aperture_um": 50.0,
        "objective_aperture_um": 100.0,
        "slit_width_ev": 20.0,
        "defocus_applied_um": 2.7,
        "hole": "9015883",
        "area": "9017354",
        "camera": "BioQuantum K3",
    },
    "img_h1_s2_i374_movie_00001_Jul30_07.56.47.tif.mdoc": {
        "voltage_kv": 300.0,
        "cs_mm": 2.7,
        "pixel_size_angstrom": 0.50226,
        "exposure_dose": 30.0,
        "exposure_s": 1.0,
        "frames": 40,
        "defocus_applied_um": 2.3,
        "phase_plate": True,
        "stage_x_um": -114.718,
        "stage_z_um": 83.3138,
        "hole": "2",
        "shot": "3",
        "recorded_at": 1565532802.0,
        "gain_reference": "SuperRef_00000_Aug11_14.13.17.mrc",
        "instrument": "Titan Krios3 D3593",
    },
}


@pytest.mark.parametrize("name", REAL_VALUES)
def test_real_files(name: str, shared_data: Path) -> None:
    movie = name.removesuffix(".mdoc") if name.endswith(".mdoc") else name.replace(".xml", "_fractions.tiff")
    told = read_metadata((shared_data / "metadata" / name).read_bytes(), name, movie)
    assert told is not None
    for field, value in REAL_VALUES[name].items():
        wanted = pytest.approx(value, rel=1e-5) if isinstance(value, float) else value
        assert getattr(told, field) == wanted, field


def test_epu_in_its_own_units() -> None:
    told = epu(epu_xml(stage_um=(-97.15, 12.5, 85.7), beam_shift=(0.0825, -0.1395)))
    assert (told.source, told.kind, told.voltage_kv) == (f"{EPU}.xml", "epu", 200.0)
    assert (told.pixel_size_angstrom, told.image_width_px) == (pytest.approx(1.1), 512)
    assert (told.exposure_dose, told.exposure_s, told.frames) == (pytest.approx(8.0), 2.5, 8)
    assert (told.beam_shift_x, told.beam_shift_y) == (0.0825, -0.1395)
    assert (told.stage_x_um, told.stage_y_um, told.stage_z_um) == pytest.approx((-97.15, 12.5, 85.7))
    assert (told.defocus_applied_um, told.recorded_at) == (1.5, pytest.approx(1736351361.105, abs=1e-3))
    assert (told.square, told.hole, told.area) == ("7", "2", "3")


def test_epu_of_other_versions() -> None:
    definitions = "".join(f"<x><b:EndFrameNumber>{2 * n}</b:EndFrameNumber></x>" for n in range(1, 31))
    assert epu(epu_xml(fractions=f"<b:DoseFractions>{definitions}</b:DoseFractions>")).frames == 30
    other_namespaces = epu_xml().replace(b"Fei.SharedObjects", b"Thermo.SharedObjects").replace(b"Fei.Types", b"T")
    assert epu(other_namespaces) == epu(epu_xml())
    assert epu(b"\xef\xbb\xbf" + epu_xml()) == epu(epu_xml())
    assert epu(epu_xml(defocus_um=0.0)).defocus_applied_um == 0.0


def test_a_dose_that_epu_does_not_know_is_not_told() -> None:
    """It writes 0 then. The dose on the camera is e/pixel of the same image: 16.23 / 1.1² = 13.41 e/Å²."""
    assert epu(epu_xml(dose=0.0)).exposure_dose is None
    assert epu(epu_xml(dose=0.0, custom={"DoseOnCamera": 16.23})).exposure_dose == pytest.approx(13.413, abs=1e-3)


def test_xml_of_other_programs_is_no_metadata() -> None:
    assert read_metadata(b'<Movie DataDirectory="/data"/>', "a.xml", "a.mrc") is None
    assert read_metadata(b"<x/>", "a.xml", "a.mrc") is None


def test_serialem_in_its_own_units() -> None:
    told = serialem(mdoc(NavigatorLabel="84-1", MultishotHoleAndPosition="3 1", FilterSlitAndLoss="20 0"))
    assert (told.kind, told.voltage_kv, told.pixel_size_angstrom, told.image_width_px) == ("serialem", 300, 0.5, None)
    assert (told.exposure_dose, told.frames, told.exposure_s) == (30.0, 40, 2.5)
    assert (told.defocus_applied_um, told.slit_width_ev) == (1.8, 20.0)
    assert (told.beam_shift_x, told.beam_shift_y) == (-0.64, -0.23)
    assert (told.square, told.hole, told.area, told.shot) == ("84", "84-1/3", "3-1", "1")
    assert (told.gain_reference, told.instrument) == ("CountRef_grid.mrc", "Krios D3593")


def test_doses_of_serialem() -> None:
    """A dose of 0 a frame means not known: the exposure's counts. Without one, the frames' are summed."""
    assert serialem(mdoc(ExposureDose=None, FrameDosesAndNumber="0.5 10 1.0 20", NumSubFrames=None)).exposure_dose == 25
    assert serialem(mdoc(FrameDosesAndNumber="0.5 10 1.0 20", NumSubFrames=None)).frames == 30
    assert serialem(mdoc(ExposureDose=0)).exposure_dose is None


def test_the_pixel_of_an_eer_is_the_physical_one() -> None:
    assert serialem(mdoc(PixelSpacing=1.5, Binning=2), "grid_0.eer").pixel_size_angstrom == 0.75
    assert serialem(mdoc(PixelSpacing=1.5, Binning=2), "grid_0.tif").pixel_size_angstrom == 1.5


@pytest.mark.parametrize(
    "text", ["11-Aug-19  14:13:22", "11-Aug-2019  14:13:22", "Aug-11-2019 14:13:22", "2019-08-11 14:13:22"]
)
def test_dates_of_serialem(text: str) -> None:
    assert serialem(mdoc(DateTime=text)).recorded_at == 1565532802.0


def test_one_mdoc_for_all_movies() -> None:
    assert serialem(mdoc(3), "raw/grid_2.tif").kind == "serialem"
    with pytest.raises(MetadataError, match="0 of its 3 FrameSet sections are of"):
        serialem(mdoc(3), "grid_9.tif")


def test_odd_lines_of_an_mdoc_cost_nothing_else() -> None:
    odd = b"[T =  Tilt axis angle = 85.0, binning = 1]\nno key here\n = 5\n\xb5\xff\n" + mdoc(StageZ="high")
    assert serialem(odd).stage_z_um is None
    assert serialem(odd).pixel_size_angstrom == 0.5
    assert read_metadata(b"[MontSection = 0]\nImageFile = a\n", "a.mdoc", "a.tif") is None


def test_eer_header(tmp_path: Path) -> None:
    items = {"exposureTime": ("s", 5.5), "totalDose": ("e/pixel", 20.0), "numberOfFrames": ("", 1120)}
    items |= {"sensorPixelSize.width": ("m", 0.8e-10), "sensorImageWidth": ("pixel", 4096)}
    text = "".join(f'<item name="{name}" unit="{unit}">{value}</item>' for name, (unit, value) in items.items())
    frames = [[(5, 1, 2), (70, 0, 3)]] * 3
    write_eer(tmp_path / "a.eer", frames, (24, 20), metadata=f"<metadata>{text}</metadata>".encode())
    told = read_eer_metadata(tmp_path / "a.eer")
    assert told is not None
    assert (told.source, told.kind, told.pixel_size_angstrom) == ("EER header", "eer", pytest.approx(0.8))
    assert (told.exposure_dose, told.exposure_s, told.frames) == (pytest.approx(31.25), 5.5, 1120)
    write_eer(tmp_path / "b.eer", frames, (24, 20))
    assert read_eer_metadata(tmp_path / "b.eer") is None


def test_json_by_a_template() -> None:
    template = parsed_template(
        b'{"voltage_kv": {"path": "scope.highTension", "factor": 0.001}, "frames": "movie.frames", '
        b'"hole": "targets.0.id", "recorded_at": "time", "phase_plate": "vpp", "cs_mm": "scope.missing"}'
    )
    data = b'{"scope": {"highTension": 200000}, "movie": {"frames": 40}, "targets": [{"id": 12}], "vpp": false, '
    told = read_metadata(data + b'"time": "2019-08-11T14:13:22Z"}', "a.json", "a.tif", template)
    assert told is not None
    assert (told.voltage_kv, told.frames, told.hole, told.recorded_at) == (200.0, 40, "12", 1565532802.0)
    assert (told.phase_plate, told.cs_mm) == (False, None)
    assert read_metadata(b'{"other": 1}', "a.json", "a.tif", template) is None
    assert read_metadata(data + b"}", "a.json", "a.tif") is None


def test_json_beside_a_movie_is_read_by_the_template_that_a_setting_names(tmp_path: Path) -> None:
    movie, template = tmp_path / "a.tif", tmp_path / "template.json"
    (tmp_path / "a.json").write_bytes(b'{"kV": 200, "hole": "12"}')
    assert metadata_beside(movie).acquisition is None
    template.write_bytes(b'{"voltage_kv": "kV", "hole": "hole"}')
    read = metadata_beside(movie, template)
    assert read.acquisition is not None
    assert (read.acquisition.voltage_kv, read.acquisition.hole, read.acquisition.source) == (200.0, "12", "a.json")
    template.write_bytes(b'{"volts": "kV"}')
    assert "import.metadata_template" in metadata_beside(movie, template).fault
    assert "No such file" in metadata_beside(movie, tmp_path / "none.json").fault
    (tmp_path / "a.xml").write_bytes(epu_xml())
    assert metadata_beside(movie, template).fault == ""  # EPU's comes first, and needs no template


def test_a_name_too_long_for_metadata_beside_it_has_none(tmp_path: Path) -> None:
    assert metadata_beside(tmp_path / f"{'n' * 250}.tif") == NO_METADATA


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (b'{"volts": "a"}', "an unknown field; fields are voltage_kv, cs_mm"),
        (b'{"frames": 3}', "frames is neither"),
        (b'{"frames": {"path": "a", "unit": "s"}}', "frames is neither .*unit"),
        (b"[]", "no template"),
        (b"", "no template"),
    ],
)
def test_a_wrong_template_is_refused_by_name(template: bytes, said: str) -> None:
    with pytest.raises(MetadataError, match=said):
        parsed_template(template)
