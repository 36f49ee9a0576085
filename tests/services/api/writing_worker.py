"""A worker's part of the protocol that writes small outputs, as the steps do, for tests of what REST shows of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.services.api.rest_session import RESULTS, WireWorker
from tests.services.reports import whole
from warpcore.bus import messages as m
from warpcore.services.formats.mrc_writer import write_mrc
from warpcore.services.formats.star_files import write_coordinates
from warpcore.services.steps import ctf, export, motion, picking
from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.step import Output
from warpcore.services.worker.staging import Staging

HEIGHT, WIDTH = 90, 120
CURVES = {name: [1.0, 2.0] for name in ("frequency", "spectrum", "background", "scale", "model", "quality")}
FIT = {
    **{"defocus_u_angstrom": 2e4, "defocus_v_angstrom": 1.9e4, "angle_degrees": 3.0, "phase_shift_degrees": 0.0},
    **{"figure_of_merit": 0.5, "resolution_angstrom": None, "failure": None, "warnings": [], "source": "sum"},
    **{"ice_ring": 0.1, "confidence": 9.0, "resolution_plain_angstrom": None, "ice_thickness": None},
    "grid": {"dims": [1, 1], "values_um": [1.95], "tilt_degrees": None, "tilt_axis_degrees": None},
    "curves": CURVES,
}
TRACKS = {
    **{"frames": 2, "failure": None, "dose_per_frame": 1.5, "track_angstrom": [[0, 0], [1, 2]]},
    "tracks_5x5_angstrom": [[[[0.0, 0.0]] * 5] * 5, [[[1.0, 2.0]] * 5] * 5],
}
CANDIDATES = {"x_px": [10.5, 20], "y_px": [30, 40], "scores": [0.9, 0.2], "score_histogram": [0] * 18 + [1, 1]}
SIZES = {"width": WIDTH, "height": HEIGHT, "pixel_size_angstrom": 2.0, "raw_pixel_size_angstrom": 1.0}


class WritingWorker(WireWorker):
    """Writes small outputs of each step before it reports."""

    brightness = 0

    def process(self, task: m.AssignTask) -> tuple[dict[str, Any], dict[str, dict[str, int | None]]]:
        staging = Staging(Path(task.processing_directory), str(task.lease), lambda output: output.path(task.name))

        def place(output: Output) -> Path:
            (step,) = [step.name for step in CHAIN if output in step.outputs]
            return staging.place(step, output)

        def picture(output: Output) -> None:
            Image.new("RGB", (60, 45)).save(place(output))

        average = np.add.outer(np.zeros(HEIGHT), np.arange(WIDTH)).astype(np.float32) + self.brightness
        write_mrc(place(export.AVERAGE), average, 2.0)
        write_mrc(place(ctf.SPECTRUM), np.ones((8, 8), np.float32), 1.0)
        write_mrc(place(picking.MASK), np.ones((4, 6), np.float32), 12.0)
        for output in (export.THUMBNAIL, ctf.SPECTRUM_PICTURE, motion.PICTURE, picking.OVERLAY):
            picture(output)
        write_coordinates(place(picking.COORDINATES), [10.5], [30], [0.9])
        for output, content in ((ctf.FIT, FIT), (motion.MODEL, TRACKS), (picking.CANDIDATES, CANDIDATES)):
            place(output).write_text(json.dumps(content))
        measured = {"input": {**SIZES, "raw_width": 2 * WIDTH, "raw_height": 2 * HEIGHT}}
        found = {"threshold": 0.5, "suffix": "picks", "diameter_angstrom": 130.0, "method": "both", "certainty": 0.9}
        log = [{"level": "warning", "text": f"{task.name}.tif: odd", "ts": 9e9}]
        self._dealer.send(m.WorkerLog(self.name, [*log, {"level": "info", "text": f"{task.name}2: other", "ts": 9e9}]))
        staging.settle()
        results = {**measured, **{step: RESULTS[step] for step in task.run}, "picking": {**found, "count": 1}}
        return whole(results), staging.outputs
