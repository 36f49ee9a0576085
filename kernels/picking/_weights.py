"""The picking network's parameters, the calibration of its output, and the file that holds both.

A weights file is a NumPy `.npz` archive read without pickle: one float16 array a parameter, `<layer>.weight` [kh, kw,
in, out] and `<layer>.bias` [out], and `about`, UTF-8 JSON bytes: format, calibration, and how it was trained.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from warpcore.kernels.picking._calibration import Calibration

Parameters = dict[str, jax.Array]

FORMAT = "warpcore-picker-3"

# name: (kernel, input channels, output channels, stride)
LAYERS: dict[str, tuple[int, int, int, int]] = {
    "full": (3, 1, 16, 1),
    "half_down": (3, 16, 24, 2),
    "half": (3, 24, 24, 1),
    "quarter_down": (3, 24, 48, 2),
    "quarter_a": (3, 48, 48, 1),
    "quarter_b": (3, 48, 48, 1),
    "eighth_down": (3, 48, 80, 2),
    "eighth_a": (3, 80, 80, 1),
    "eighth_b": (3, 80, 80, 1),
    "sixteenth_down": (3, 80, 96, 2),
    "sixteenth_a": (3, 96, 96, 1),
    "sixteenth_b": (3, 96, 96, 1),
    "eighth_up": (3, 176, 80, 1),
    "quarter_up": (3, 128, 48, 1),
    "half_up": (3, 72, 24, 1),
    "classes": (1, 24, 3, 1),
}


class Network(NamedTuple):
    """Parameters and their calibration: what a weights file holds."""

    parameters: Parameters
    calibration: Calibration


class WeightsError(ValueError):
    """A file that is no weights file of this network; the text says why."""


def initial_parameters(rng: np.random.Generator) -> Parameters:
    """Random parameters, variance scaled by the inputs of each layer (He et al. 2015)."""
    parameters: Parameters = {}
    for name, (kernel, inputs, outputs, _) in LAYERS.items():
        spread = math.sqrt(2 / (kernel * kernel * inputs)) * (0.1 if name == "classes" else 1.0)
        weight = spread * rng.normal(size=(kernel, kernel, inputs, outputs))
        parameters[f"{name}.weight"] = jnp.asarray(weight, jnp.float32)
        parameters[f"{name}.bias"] = jnp.zeros(outputs)
    return parameters


def write_network(network: Network, about: dict[str, Any]) -> bytes:
    """The weights file's bytes; equal networks and `about`, equal bytes."""
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {name: np.asarray(value, np.float16) for name, value in network.parameters.items()}
    content = {"format": FORMAT, "calibration": network.calibration._asdict(), **about}
    text = json.dumps(content, sort_keys=True).encode()
    np.savez_compressed(buffer, about=np.frombuffer(text, np.uint8), **arrays)
    return buffer.getvalue()


def read_network(content: bytes) -> Network:
    """The network of a weights file's bytes. Raises WeightsError where names or shapes are not this network's."""
    try:
        archive = np.load(io.BytesIO(content), allow_pickle=False)
        about = json.loads(archive["about"].tobytes())
        arrays = {name: np.asarray(archive[name], np.float32) for name in archive.files if name != "about"}
    except (ValueError, OSError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise WeightsError(f"not a picker's weights file: {error}") from None
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        found = about.get("format") if isinstance(about, dict) else None
        raise WeightsError(f"weights of format {found!r}; {FORMAT!r} is needed")
    wanted = {name: value.shape for name, value in initial_parameters(np.random.default_rng(0)).items()}
    if {name: array.shape for name, array in arrays.items()} != wanted:
        raise WeightsError("weights of another network: names or shapes differ")
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise WeightsError("weights hold non-finite values")
    try:
        calibration = Calibration(*(float(about["calibration"][name]) for name in Calibration._fields))
    except (KeyError, TypeError, ValueError):
        raise WeightsError("weights without a calibration of their scores") from None
    if not (np.isfinite(calibration).all() and calibration.slope > 0):
        raise WeightsError(f"weights with an impossible calibration: {calibration._asdict()}")
    return Network({name: jnp.asarray(array) for name, array in arrays.items()}, calibration)


@lru_cache(maxsize=1)
def shipped_network() -> Network:
    """The network that comes with the package."""
    return read_network(files("warpcore.kernels.picking").joinpath("shipped", "general.npz").read_bytes())
