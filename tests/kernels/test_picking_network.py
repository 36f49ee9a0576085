"""The network's file format, its geometry, and the shipped weights on scenes that training has not seen."""

from __future__ import annotations

import numpy as np
import pytest

from warpcore.kernels.picking._network import (
    JUNK,
    PARTICLE,
    micrograph_scores,
    network_input,
    pick_network,
    probabilities,
)
from warpcore.kernels.picking._weights import (
    Calibration,
    Network,
    WeightsError,
    initial_parameters,
    read_network,
    shipped_network,
    write_network,
)
from warpcore.kernels.simulate._scenes import Scene, random_scene

PARAMETERS = initial_parameters(np.random.default_rng(0))
NETWORK = Network(PARAMETERS, Calibration(0.9, -0.5, 0.25))


def unseen(count: int, wanted: int) -> list[Scene]:
    """Scenes with at least `wanted` particles from seeds that no training uses."""
    scenes = (random_scene(np.random.default_rng([987654, number]), 192) for number in range(200))
    return [scene for scene, _ in zip((s for s in scenes if len(s.centres_yx) >= wanted), range(count), strict=False)]


def test_a_weights_file_comes_back_as_it_was() -> None:
    content = write_network(NETWORK, {"seed": 3})
    again = read_network(content)
    assert again.calibration == NETWORK.calibration
    assert again.parameters.keys() == PARAMETERS.keys()
    for name, value in PARAMETERS.items():
        np.testing.assert_allclose(again.parameters[name], value, rtol=1e-3, atol=1e-6)  # float16 in the file
    assert write_network(again, {"seed": 3}) == content


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a picker's weights file"),
        (b"PK\x03\x04 rubbish", "not a picker's weights file"),
        (write_network(NETWORK._replace(parameters={"full.bias": PARAMETERS["full.bias"]}), {}), "another network"),
        (write_network(NETWORK, {"format": "other-9"}), "format 'other-9'"),
        (
            write_network(NETWORK._replace(parameters={**PARAMETERS, "full.bias": np.full(12, np.nan)}), {}),  # type: ignore[dict-item]
            "non-finite",
        ),
        (write_network(NETWORK, {"calibration": {"slope": 1}}), "without a calibration"),
        (write_network(NETWORK._replace(calibration=Calibration(-1.0, 0.0, 0.5)), {}), "impossible calibration"),
    ],
)
def test_files_that_are_no_weights_are_refused(content: bytes, reason: str) -> None:
    with pytest.raises(WeightsError, match=reason):
        read_network(content)


def test_scores_are_probabilities_under_the_micrographs_own_share_of_particles() -> None:
    """Candidates drawn from two normal distributions: whatever their shares, scores are right as often as they say."""
    rng = np.random.default_rng(1)
    spread, apart = 1.5, 4.0  # log odds of N(±2, 1.5): slope apart / spread², and no offset at equal shares
    calibration = Calibration(apart / spread**2, 0.0, 0.5)
    for share in (0.05, 0.3, 0.8):
        true = rng.random(4000) < share
        scores = micrograph_scores(np.where(true, 2.0, -2.0) + spread * rng.normal(size=4000), calibration)
        assert scores.mean() == pytest.approx(share, abs=0.02)  # measured 0.052, 0.305, 0.803
        likely = scores > 0.5
        assert true[likely].mean() == pytest.approx(scores[likely].mean(), abs=0.03)
        assert true[~likely].mean() == pytest.approx(scores[~likely].mean(), abs=0.03)
    assert len(micrograph_scores(np.zeros(0), calibration)) == 0
    noise = micrograph_scores(-2 + spread * rng.normal(size=2000), calibration)
    assert (noise > 0.5).sum() < 3  # measured 1


def test_probabilities_lie_over_their_pixels_for_any_size() -> None:
    for shape in ((131, 90), (200, 257)):
        field = probabilities(PARAMETERS, np.random.default_rng(1).normal(size=shape).astype(np.float32))
        assert field.shape == (-(-shape[0] // 2), -(-shape[1] // 2), 3)
        np.testing.assert_allclose(field.sum(axis=-1), 1, atol=1e-5)


def test_the_input_does_not_depend_on_level_scale_or_slow_changes() -> None:
    image = np.random.default_rng(2).normal(size=(150, 160))
    slope = np.linspace(0, 0.5, 160)[None]
    np.testing.assert_allclose(network_input(image), network_input(7e3 + 40 * image), atol=1e-3)
    assert np.abs(network_input(image) - network_input(image + slope)).mean() < 0.02


def test_the_shipped_weights_are_small() -> None:
    from importlib.resources import files

    assert len(files("warpcore.kernels.picking").joinpath("shipped", "general.npz").read_bytes()) < 4e6


def test_the_shipped_network_finds_particles_it_has_not_seen() -> None:
    true = false = missed = 0
    for scene in unseen(6, 12):
        picks = pick_network(
            scene.image, pixel_size_angstrom=scene.pixel_size_angstrom, diameter_angstrom=scene.diameter_angstrom
        )
        distance = np.hypot(picks.x_px[:, None] - scene.centres_yx[:, 1], picks.y_px[:, None] - scene.centres_yx[:, 0])
        of_pick, of_centre = distance.min(axis=1, initial=99), distance.min(axis=0, initial=99)
        inner = (picks.x_px > 8) & (picks.x_px < 183) & (picks.y_px > 8) & (picks.y_px < 183)
        wanted = ((scene.centres_yx > 8) & (scene.centres_yx < 183)).all(axis=1)
        true += int((of_centre[wanted] < 4).sum())
        missed += int((of_centre[wanted] >= 4).sum())
        false += int((of_pick[inner] >= 4).sum())
    # Measured 0.67; some of these scenes have particles that nobody could see (thick ice, a dose of 12).
    assert 2 * true / (2 * true + false + missed) > 0.6


def test_the_shipped_network_knows_junk() -> None:
    scene = next(
        s
        for s in (random_scene(np.random.default_rng([987654, n]), 192) for n in range(300))
        if 0.15 < s.junk.mean() < 0.5
    )
    field = probabilities(shipped_network().parameters, network_input(scene.image))
    junk = scene.junk[::2, ::2]
    assert field[junk, JUNK].mean() > field[~junk, JUNK].mean() + 0.3
    assert field[junk, PARTICLE].mean() < 0.1


def test_noise_gives_hardly_a_pick() -> None:
    noise = np.random.default_rng(5).normal(size=(300, 300)).astype(np.float32)
    assert len(pick_network(noise, pixel_size_angstrom=8.0, diameter_angstrom=130).x_px) < 3


def test_a_micrograph_coarser_than_the_network_is_enlarged() -> None:
    scene = unseen(1, 12)[0]
    fine = pick_network(scene.image, pixel_size_angstrom=10.0, diameter_angstrom=160)
    half = scene.image.reshape(96, 2, 96, 2).mean(axis=(1, 3))
    coarse = pick_network(half, pixel_size_angstrom=20.0, diameter_angstrom=160)
    best = slice(0, max(3, len(fine.x_px) // 2))
    # A pixel i of the halved image is centred at 2i + 0.5 of the whole one.
    distance = np.hypot(
        fine.x_px[best, None] - (2 * coarse.x_px + 0.5), fine.y_px[best, None] - (2 * coarse.y_px + 0.5)
    )
    assert (distance.min(axis=1) < 2).mean() > 0.6
