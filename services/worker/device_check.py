"""A known computation on the device: sums, matrix products and Fourier transforms whose results are known beforehand.

The image is cos(π (x² + y²) / n) for x, y = 0 … n - 1, n a multiple of 4. It and its transforms fill their arrays with
values of the order of 1, so an error anywhere shows, and Gauss sums give them in closed form: the Fourier transform is
n sin(π (k² + l²) / n), real everywhere; so is the image between two orthonormal matrices of cos + sin (Hartley
transform), over n; the sum of squares is n² / 2. Those closed forms are computed by NumPy in float64, never on the
device. Frames are the image times powers of 2, so each has the same results after its factor is taken out again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from warpcore.services.worker.failures import is_out_of_device_memory

TOLERANCE = 2e-5
"""Largest error; all results are of the order of 1. Measured on a CPU: 2.5e-6 (products; 7e-7 for all others). Products
of TF32 numbers, of 10 bits, are off by 1.2e-3."""

Array = npt.NDArray[np.float64]


class Size(NamedTuple):
    """`frames` images of `edge` × `edge` pixels."""

    edge: int
    frames: int


ON_CPU = Size(128, 4)
ON_ACCELERATOR = Size(1024, 24)
"""100 MB of frames, and twice that of transforms and products: enough to keep all of a GPU's cores busy."""


class Results(NamedTuple):
    """Results of all frames, each over its factor: the largest and the smallest value of any frame."""

    spectra: tuple[jax.Array, jax.Array]
    """Real part of the Fourier transform over n, [n, n / 2 + 1]."""
    imaginary: tuple[jax.Array, jax.Array]
    """Its imaginary part over n, which is 0."""
    returned: tuple[jax.Array, jax.Array]
    """Fourier transform and back, [n, n]."""
    products: tuple[jax.Array, jax.Array]
    """The image between two Hartley matrices, over 1, [n, n]."""
    mean: tuple[jax.Array, jax.Array]
    """Sum of all frames over the sum of their factors, [n, n]; both are the same."""
    energy: tuple[jax.Array, jax.Array]
    """Mean square of the pixels, twice."""


Computation = Callable[[jax.Array, jax.Array, jax.Array], Results]


class _Known(NamedTuple):
    image: Array
    spectrum: Array
    hartley: Array


def known(edge: int) -> _Known:
    """The image [n, n], its transform over n [n, n], and the orthonormal Hartley matrix [n, n], in float64."""
    squares = np.arange(edge) ** 2
    phase = np.pi * ((squares[:, None] + squares) % (2 * edge)) / edge
    angle = 2 * np.pi * (np.outer(np.arange(edge), np.arange(edge)) % edge) / edge
    return _Known(np.cos(phase), np.sin(phase), (np.cos(angle) + np.sin(angle)) / np.sqrt(edge))


@jax.jit
def on_device(image: jax.Array, hartley: jax.Array, factors: jax.Array) -> Results:
    """The computation: float32 `image` and `hartley` [n, n], and `factors` of the frames [frames], powers of 2."""
    edge = image.shape[0]
    factor = factors[:, None, None]
    stack = factor * image
    transforms = jnp.fft.rfft2(stack)
    spectra = transforms / (factor * edge)
    # Asked for here, as JAX's default on a GPU is TF32, whose error would look like a faulty card.
    highest = jax.lax.Precision.HIGHEST
    products = jnp.matmul(jnp.matmul(hartley, stack, precision=highest), hartley, precision=highest)
    mean = stack.sum(axis=0) / factors.sum()
    return Results(
        spectra=_range(spectra.real),
        imaginary=_range(spectra.imag),
        returned=_range(jnp.fft.irfft2(transforms, s=image.shape) / factor),
        products=_range(products / factor),
        mean=(mean, mean),
        energy=_range(2 * jnp.square(stack).mean(axis=(1, 2)) / factors**2),
    )


def _range(frames: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The largest and the smallest value over frames; NaN where one of them is not finite, which a maximum may hide."""
    finite = jnp.isfinite(frames).all(axis=0)
    return jnp.where(finite, frames.max(axis=0), jnp.nan), jnp.where(finite, frames.min(axis=0), jnp.nan)


class NotCheckedError(RuntimeError):
    """The device could not be checked now."""


def check_device(size: Size | None = None, compute: Computation = on_device) -> str | None:
    """Compute what is known beforehand; return what is wrong with the device, or None.

    Raises NotCheckedError where memory is used up, which says nothing of the device.
    """
    edge, frames = size or (ON_CPU if jax.default_backend() == "cpu" else ON_ACCELERATOR)
    truth = known(edge)
    factors = 2.0 ** (np.arange(frames) % 8)
    inputs = [np.asarray(array, np.float32) for array in (truth.image, truth.hartley, factors)]
    try:
        results = jax.device_get(compute(*map(jnp.asarray, inputs)))
    except Exception as error:  # noqa: BLE001 - whatever a broken device raises is the finding
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        if is_out_of_device_memory(error):
            raise NotCheckedError(f"the device is not checked: its memory is used up ({first_line})") from None
        return first_line
    return _fault(results, truth)


def _fault(results: Results, truth: _Known) -> str | None:
    """The first result that is off by more than the tolerance, in words."""
    half = truth.spectrum[:, : truth.spectrum.shape[1] // 2 + 1]
    compared = (
        ("Fourier transforms", results.spectra, half),
        ("Fourier transforms", results.imaginary, np.zeros_like(half)),
        ("Fourier transforms", results.returned, truth.image),
        ("matrix products", results.products, truth.spectrum),
        ("sums", results.mean, truth.image),
        ("sums", results.energy, np.ones(())),
    )
    for name, found, expected in compared:
        worst = max(float(np.max(np.abs(one - expected))) for one in found)
        if not worst <= TOLERANCE:  # so that NaN is a fault
            return f"the {name} of a known computation are off by {worst:.2g} (at most {TOLERANCE:g} is right)"
    return None
