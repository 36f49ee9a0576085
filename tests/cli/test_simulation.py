"""Simulated movies on disk against the truth beside them."""

from __future__ import annotations

import json
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import tifffile

from warpcore.cli.simulation import SimulatedMovie, simulate_movies
from warpcore.cli.simulation_draws import euler_matrices
from warpcore.cli.simulation_options import SimulationOptions
from warpcore.cli.structures import StructureError, load_structure, octahedral_rotations

OPTIONS = SimulationOptions(
    frames=6, height=384, width=448, pixel_size_angstrom=2.0, dose_per_frame=4.0, particles=9, bad_pixels=8
)


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> SimulatedMovie:
    (one,) = simulate_movies(tmp_path_factory.mktemp("movies"), 1, options=OPTIONS, seed=5)
    return one


def aligned_sum(movie: SimulatedMovie) -> np.ndarray:
    """Frames as a reader sees them (flipped in Y), times the gain, moved back along the true global track."""
    frames = tifffile.imread(movie.path)[:, ::-1] * mrcfile.read(movie.path.parent / "gain.mrc")
    ky, kx = np.fft.fftfreq(OPTIONS.height)[:, None], np.fft.rfftfreq(OPTIONS.width)[None]
    total = 0
    for frame, (x, y) in zip(frames, np.array(movie.truth["track_xy_angstrom"]) / 2.0, strict=True):
        total = total + np.fft.rfft2(frame) * np.exp(2j * np.pi * (ky * y + kx * x))
    return np.fft.irfft2(total, s=OPTIONS.shape)


def test_files_and_truth_agree_in_shape_and_names(movie: SimulatedMovie) -> None:
    folder = movie.path.parent
    assert sorted(p.name for p in folder.iterdir()) == ["gain.mrc", "movie_0001.tif", "movie_0001.truth.json"]
    assert json.loads(movie.truth_path.read_text()) == json.loads(json.dumps(movie.truth))
    with tifffile.TiffFile(movie.path) as file:
        assert len(file.pages) == 6
        assert file.pages[0].compression == tifffile.COMPRESSION.LZW
        assert file.pages[0].shape == OPTIONS.shape
    assert np.array(movie.truth["local_xy_angstrom"]).shape == (6, 5, 5, 2)


def test_gain_flattens_the_counts_and_bad_pixels_are_where_the_truth_says(movie: SimulatedMovie) -> None:
    total = tifffile.imread(movie.path)[:, ::-1].sum(axis=0, dtype=float)
    gain = mrcfile.read(movie.path.parent / "gain.mrc")
    assert gain.std() > 0.03
    for x, y in movie.truth["dead_pixels_xy"]:
        assert total[y, x] == 0
    for x, y in movie.truth["hot_pixels_xy"]:
        assert total[y, x] > 180  # 6 frames of 40 expected, 240 ± 15
    dose = 6 * 4.0 * 2.0**2
    columns = np.median(total * gain, axis=0), np.median(total, axis=0)
    assert np.mean(total * gain) == pytest.approx(dose, rel=0.01)
    assert columns[0].std() < 0.5 * columns[1].std()


def test_particles_lie_at_the_true_positions_with_row_0_first(movie: SimulatedMovie) -> None:
    image = aligned_sum(movie)
    y, x = np.mgrid[0 : OPTIONS.height, 0 : OPTIONS.width]
    particles = np.array(movie.truth["particles_xy_px"])
    assert len(particles) == 9

    def darkness(at: np.ndarray) -> float:
        inside = np.zeros(image.shape, bool)
        for px, py in at:
            inside |= np.hypot(x - px, y - py) < 30  # 60 Å: the shell's outer radius
        return float(image[~inside].mean() - image[inside].mean()) / float(image.mean())

    mirrored = np.stack([particles[:, 0], OPTIONS.height - 1 - particles[:, 1]], axis=1)
    assert darkness(particles) > 0.02  # measured 0.035
    assert darkness(particles) > 3 * abs(darkness(mirrored))


def test_the_track_has_its_length_and_starts_at_zero(movie: SimulatedMovie) -> None:
    track, local = np.array(movie.truth["track_xy_angstrom"]), np.array(movie.truth["local_xy_angstrom"])
    assert np.linalg.norm(np.diff(track, axis=0), axis=1).sum() == pytest.approx(OPTIONS.drift_angstrom, abs=0.01)
    assert (track[0] == 0).all()
    assert (local[0] == 0).all()
    assert np.abs(local[:, 2, 2]).max() < 1e-3
    assert 0.7 * OPTIONS.local_angstrom < np.linalg.norm(local[-1], axis=-1).max() <= OPTIONS.local_angstrom + 1e-3


def test_the_true_track_sharpens_the_sum(movie: SimulatedMovie) -> None:
    plain = tifffile.imread(movie.path)[:, ::-1].sum(axis=0) * mrcfile.read(movie.path.parent / "gain.mrc")
    k = np.hypot(np.fft.fftfreq(OPTIONS.height)[:, None], np.fft.rfftfreq(OPTIONS.width)[None]) / 2.0
    band = (k > 1 / 60) & (k < 1 / 12)
    power = [
        np.mean(np.abs(np.fft.rfft2(np.clip(i, *np.percentile(i, [0.1, 99.9]))))[band] ** 2)
        for i in (plain, aligned_sum(movie))
    ]
    assert power[1] > 1.15 * power[0]  # measured 1.5


def test_equal_seeds_give_equal_files_and_others_do_not(movie: SimulatedMovie, tmp_path: Path) -> None:
    seen: list[tuple[int, Path]] = []
    again = simulate_movies(
        tmp_path / "again", 1, options=OPTIONS, seed=5, on_movie=lambda index, path: seen.append((index, path))
    )
    assert again[0].path.read_bytes() == movie.path.read_bytes()
    assert seen == [(0, again[0].path)]
    other = simulate_movies(tmp_path / "other", 1, options=OPTIONS, seed=6)
    assert other[0].truth["defocus_u_angstrom"] != movie.truth["defocus_u_angstrom"]


def test_mrc_movies_are_written_unflipped(movie: SimulatedMovie, tmp_path: Path) -> None:
    (mrc,) = simulate_movies(tmp_path, 1, options=OPTIONS.model_copy(update={"file_format": "mrc"}), seed=5)
    with mrcfile.open(mrc.path) as file:
        assert file.voxel_size.x == pytest.approx(2.0)
        np.testing.assert_array_equal(file.data, tifffile.imread(movie.path)[:, ::-1])


def test_without_gain_there_is_no_gain_file(tmp_path: Path) -> None:
    options = SimulationOptions(frames=1, height=128, width=128, gain=False, particles=0, bad_pixels=0)
    (one,) = simulate_movies(tmp_path, 1, options=options)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["movie_0001.tif", "movie_0001.truth.json"]
    assert one.truth["gain"] is None
    assert one.truth["particles_xy_px"] == []


@pytest.mark.parametrize(
    ("option", "value"), [("frames", 0), ("dose_per_frame", -1.0), ("defocus_um", (3.0, 1.0)), ("file_format", "jpg")]
)
def test_impossible_options_are_refused_by_name(option: str, value: object) -> None:
    with pytest.raises(ValueError, match=option):
        SimulationOptions(**{option: value})  # type: ignore[arg-type]


def test_the_shipped_structure_is_apoferritins_shell() -> None:
    shell = load_structure()
    radius = np.linalg.norm(shell.positions_angstrom, axis=1)
    assert len(radius) == 24 * 1364
    assert shell.diameter_angstrom == pytest.approx(135.7, abs=0.5)
    assert radius.min() > 35  # hollow
    rotated = shell.positions_angstrom @ octahedral_rotations()[7].T.astype(np.float32)
    counts = [np.histogramdd(p, bins=[np.linspace(-70, 70, 15)] * 3)[0] for p in (shell.positions_angstrom, rotated)]
    assert np.abs(counts[0] - counts[1]).sum() < 0.01 * counts[0].sum()  # the group maps the particle onto itself


PDB = """\
REMARK 350 BIOMOLECULE: 1
REMARK 350 APPLY THE FOLLOWING TO CHAINS: A
REMARK 350   BIOMT1   1  1.000000  0.000000  0.000000        0.00000
REMARK 350   BIOMT2   1  0.000000  1.000000  0.000000        0.00000
REMARK 350   BIOMT3   1  0.000000  0.000000  1.000000        0.00000
REMARK 350   BIOMT1   2 -1.000000  0.000000  0.000000       10.00000
REMARK 350   BIOMT2   2  0.000000 -1.000000  0.000000        0.00000
REMARK 350   BIOMT3   2  0.000000  0.000000  1.000000        0.00000
ATOM      1  N   SER A   1       1.000   2.000   3.000  1.00 20.00           N
ATOM      2  HA  SER A   1       9.000   9.000   9.000  1.00 20.00           H
HETATM    3  O   HOH A 101       5.000   5.000   5.000  1.00 20.00           O
"""
MMCIF = """\
data_x
loop_
_atom_site.group_PDB
_atom_site.id
_atom_site.type_symbol
_atom_site.label_atom_id
_atom_site.label_alt_id
_atom_site.label_comp_id
_atom_site.label_asym_id
_atom_site.label_entity_id
_atom_site.label_seq_id
_atom_site.Cartn_x
_atom_site.Cartn_y
_atom_site.Cartn_z
_atom_site.auth_seq_id
_atom_site.auth_asym_id
ATOM 1 N N . SER A 1 1 1.0 2.0 3.0 1 A
ATOM 2 H HA . SER A 1 1 9.0 9.0 9.0 1 A
HETATM 3 O O . HOH B 2 . 5.0 5.0 5.0 101 A
loop_
_pdbx_struct_assembly_gen.assembly_id
_pdbx_struct_assembly_gen.oper_expression
_pdbx_struct_assembly_gen.asym_id_list
1 1,2 A,B
loop_
_pdbx_struct_assembly.id
_pdbx_struct_assembly.details
_pdbx_struct_assembly.method_details
_pdbx_struct_assembly.oligomeric_details
_pdbx_struct_assembly.oligomeric_count
1 author_defined_assembly ? dimeric 2
loop_
_pdbx_struct_oper_list.id
_pdbx_struct_oper_list.type
_pdbx_struct_oper_list.matrix[1][1]
_pdbx_struct_oper_list.matrix[1][2]
_pdbx_struct_oper_list.matrix[1][3]
_pdbx_struct_oper_list.vector[1]
_pdbx_struct_oper_list.matrix[2][1]
_pdbx_struct_oper_list.matrix[2][2]
_pdbx_struct_oper_list.matrix[2][3]
_pdbx_struct_oper_list.vector[2]
_pdbx_struct_oper_list.matrix[3][1]
_pdbx_struct_oper_list.matrix[3][2]
_pdbx_struct_oper_list.matrix[3][3]
_pdbx_struct_oper_list.vector[3]
1 'identity operation' 1 0 0 0 0 1 0 0 0 0 1 0
2 ? -1 0 0 10 0 -1 0 0 0 0 1 0
"""


@pytest.mark.parametrize(("name", "text"), [("x.pdb", PDB), ("x.cif", MMCIF)])
def test_a_structure_file_gives_its_assembly_without_water_and_hydrogen(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    structure = load_structure(tmp_path / name)
    np.testing.assert_allclose(structure.positions_angstrom, [[-4, 2, 0], [4, -2, 0]], atol=1e-5)
    assert structure.elements.tolist() == [1, 1]
    assert structure.name == "x"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("empty.pdb", "HEADER\n", "no PDB or mmCIF file of a particle"),
        ("water.pdb", PDB.splitlines()[-1], "it has no atoms"),
        ("broken.cif", "garbage", "no PDB or mmCIF file of a particle"),
        ("empty.cif", "data_x\n_a.b 1\n", "it has no atoms"),
        ("absent.pdb", None, "no such file"),
    ],
)
def test_a_file_without_a_structure_is_refused_by_name(tmp_path: Path, name: str, text: str | None, words: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(StructureError, match=words) as refused:
        load_structure(tmp_path / name)
    assert str(tmp_path / name) in str(refused.value)


def test_a_real_entry_is_read_whole(shared_data: Path) -> None:
    structure = load_structure(shared_data / "models" / "6z6u.pdb")
    assert structure.diameter_angstrom == pytest.approx(130, abs=10)
    assert len(structure.positions_angstrom) > 30000


def test_eulers_are_relions() -> None:
    # RELION: the projection direction in the particle's frame is (cos rot · sin tilt, sin rot · sin tilt, cos tilt).
    matrix = euler_matrices(np.array([[30.0, 50.0, 70.0]]))[0]
    rot, tilt = np.radians([30.0, 50.0])
    np.testing.assert_allclose(
        matrix[2], [np.cos(rot) * np.sin(tilt), np.sin(rot) * np.sin(tilt), np.cos(tilt)], atol=1e-12
    )
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
