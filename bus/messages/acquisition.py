"""How a movie was recorded: what its own header and the microscope's metadata say of it, before anything is read."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from msgspec import Meta, to_builtins

from warpcore.bus.envelope import WireError
from warpcore.bus.limits import LONGEST_NAME, LONGEST_SOURCE
from warpcore.bus.schema import Message, part

Text = Annotated[str, Meta(max_length=LONGEST_NAME)]
Count = Annotated[int, Meta(ge=1, le=2**31 - 1)]


@part
class Header(Message, frozen=True, omit_defaults=True):
    """What the file itself says: its frames and their size in stored pixels.

    `pixel_size_angstrom` is None where the file tells none; of an EER it is that of the camera's physical pixel, and
    `frames` are raw ones.
    """

    frames: Count
    height: Count
    width: Count
    pixel_size_angstrom: float | None = None
    is_eer: bool = False

    def to_body(self) -> dict[str, Any]:
        """What is told, without the rest."""
        body: dict[str, Any] = to_builtins(self)
        return body


@part
class Acquisition(Message, frozen=True, omit_defaults=True):
    """What a movie's metadata says of its recording; None: not told.

    `source` is the metadata file, relative to the data directory, or `EER header`, `source_mtime_ns` that file's mtime:
    with another one it is read again. `kind` is `epu`, `serialem`, `eer`
    or `json`. `pixel_size_angstrom` is that of an image of `image_width_px` x `image_height_px` (for EER: of the
    camera's physical pixel). `exposure_dose` is that of the whole exposure at the specimen, e/Å². `beam_shift_*` and
    `beam_tilt_*` are as the file gives them: without unit in EPU's, µm of image shift in SerialEM's.
    `defocus_applied_um` has underfocus positive. `grid`, `square`, `hole`, `area` are ids, `shot` is the position
    within the hole. `recorded_at`: epoch seconds. `gain_reference`: the name of the file that is to be used.
    """

    source: Annotated[str, Meta(max_length=LONGEST_SOURCE)] = ""
    source_mtime_ns: int = 0
    kind: Text = ""
    voltage_kv: float | None = None
    cs_mm: float | None = None
    pixel_size_angstrom: float | None = None
    image_width_px: Count | None = None
    image_height_px: Count | None = None
    exposure_dose: float | None = None
    exposure_s: float | None = None
    frames: Count | None = None
    magnification: float | None = None
    beam_shift_x: float | None = None
    beam_shift_y: float | None = None
    beam_tilt_x: float | None = None
    beam_tilt_y: float | None = None
    c2_aperture_um: float | None = None
    objective_aperture_um: float | None = None
    slit_width_ev: float | None = None
    defocus_applied_um: float | None = None
    phase_plate: bool | None = None
    stage_x_um: float | None = None
    stage_y_um: float | None = None
    stage_z_um: float | None = None
    stage_alpha_degrees: float | None = None
    grid: Text | None = None
    square: Text | None = None
    hole: Text | None = None
    area: Text | None = None
    shot: Text | None = None
    recorded_at: float | None = None
    gain_reference: Text | None = None
    instrument: Text | None = None
    camera: Text | None = None

    def to_body(self) -> dict[str, Any]:
        """What is told, without the rest."""
        body: dict[str, Any] = to_builtins(self)
        return body


_M = TypeVar("_M", Header, Acquisition)


def said(kind: type[_M], body: dict[str, Any] | None) -> _M | None:
    """What a movie's record on disk says of header or metadata; None where it says nothing that can be read."""
    try:
        return None if body is None else kind.from_body(body)
    except WireError:
        return None
