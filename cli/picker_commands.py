"""`warpcore picker`: diameters proposed, and the network trained and measured on a user's own picks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from warpcore.cli import output
from warpcore.cli.errors import CliError
from warpcore.cli.picker_suggest import suggest

if TYPE_CHECKING:
    from warpcore.kernels.picking import Network

Micrographs = Annotated[Path, typer.Option(help="Folder of averages (.mrc).")]
Coordinates = Annotated[Path, typer.Option(help="Folder of coordinate files (.star or .csv) named after them.")]
Diameter = Annotated[float, typer.Option(min=10, max=5000, help="Particle diameter in Å.")]
PixelSize = Annotated[float | None, typer.Option(help="Å; default: from the files' headers.")]
Suffix = Annotated[str | None, typer.Option(help="Which file to take where several fit: <name>_<suffix>.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    picker = typer.Typer(
        no_args_is_help=True,
        help="Find a particle diameter; fine-tune the picking network on your own picks, and measure it.",
    )
    picker.command()(suggest)
    picker.command()(train)
    picker.command()(evaluate)
    app.add_typer(picker, name="picker", rich_help_panel="Without services")


def train(
    weights: Annotated[Path, typer.Argument(help="Weights file to write (.npz).")],
    micrographs: Micrographs,
    coordinates: Coordinates,
    diameter: Diameter,
    pixel_size: PixelSize = None,
    suffix: Suffix = None,
    start: Annotated[Path | None, typer.Option(help="Weights to start from; default: the shipped ones.")] = None,
    steps: Annotated[int, typer.Option(min=1, max=1_000_000)] = 400,
    scenes: Annotated[
        int,
        typer.Option(
            min=1, max=100_000, help="Simulated scenes to mix in, and as many others to calibrate the scores on."
        ),
    ] = 80,
    seed: Annotated[int, typer.Option(min=0, help="The same seed and files make the same weights.")] = 1,
    curve: Annotated[Path | None, typer.Option(help="CSV file to write step and loss to, as they come.")] = None,
) -> None:
    """Fine-tune the network on your picked micrographs, mixed with simulated scenes so that it forgets nothing."""
    with _extra_needed():
        from warpcore.cli.picker import fine_tune
        from warpcore.cli.picker_data import load_picked
        from warpcore.cli.picker_examples import TrainingOptions
    from warpcore.kernels.picking import shipped_network, write_network
    from warpcore.services.session.paths import written_whole

    picked = load_picked(micrographs, coordinates, pixel_size, suffix)
    output.note(f"{len(picked)} micrographs, {sum(len(one.xy_px) for one in picked)} particles")
    with _curve_file(curve) as keep:

        def tell(step: int, loss: float) -> None:
            output.note(f"step {step + 1} of {steps}: loss {loss:.4f}")
            keep(step + 1, loss)

        network = fine_tune(
            picked,
            diameter,
            TrainingOptions(steps=steps, scenes=scenes, learning_rate=5e-4, seed=seed, calibration_scenes=scenes),
            start=_network(start) if start else shipped_network(),
            on_step=tell,
        )
    about = {"seed": seed, "steps": steps, "diameter_angstrom": diameter, "fine_tuned": True}
    with written_whole(weights) as temporary:
        temporary.write_bytes(write_network(network, about))
    output.data(str(weights))


def evaluate(
    micrographs: Micrographs,
    coordinates: Coordinates,
    diameter: Diameter,
    weights: Annotated[Path | None, typer.Option(help="Weights file; default: the shipped one.")] = None,
    pixel_size: PixelSize = None,
    suffix: Suffix = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Precision, recall and F1 over thresholds, against given coordinates.

    A pick within 30 % of the diameter counts as right.
    """
    with _extra_needed():
        from warpcore.cli.picker_data import load_picked
        from warpcore.cli.picker_evaluation import evaluated

    curve = evaluated(
        load_picked(micrographs, coordinates, pixel_size, suffix), diameter, _network(weights) if weights else None
    )
    if as_json:
        output.as_json(
            [
                {"threshold": t, "precision": a.precision, "recall": a.recall, "f1": a.f1, **a._asdict()}
                for t, a in curve.items()
            ]
        )
        return
    output.data("threshold  precision  recall     F1   true  false  missed")
    for t, a in curve.items():
        output.data(
            f"{t:9.2f}  {a.precision:9.3f}  {a.recall:6.3f}  {a.f1:5.3f}  {a.true:5d}  {a.false:5d}  {a.missed:6d}  "
            + "█" * round(20 * a.f1)
        )


@contextmanager
def _curve_file(path: Path | None) -> Iterator[Callable[[int, float], None]]:
    """What writes a line of step and loss at once; nothing without a file."""
    if path is None:
        yield lambda step, loss: None
        return
    with path.open("w", encoding="utf-8", buffering=1) as file:
        file.write("step,loss\n")

        def keep(step: int, loss: float) -> None:
            file.write(f"{step},{loss:.6f}\n")

        yield keep


@contextmanager
def _extra_needed() -> Iterator[None]:
    """Say how to install what training and measuring need where it is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in ("optax", "starfile"):
            raise
        raise CliError(
            f"this needs the package {error.name}, which is missing: pip install 'warpcore[train]'"
        ) from None


def _network(path: Path) -> Network:
    from warpcore.kernels.picking import WeightsError, read_network

    try:
        return read_network(path.read_bytes())
    except OSError as error:
        raise CliError(
            f"{path}: cannot be read ({error.strerror}); give a file that `warpcore picker train` wrote"
        ) from None
    except WeightsError as error:
        raise CliError(f"{path}: {error}") from None
