"""Images as arrays: Fourier transforms, splines, gain references, defects, thumbnails, drawing."""

from __future__ import annotations

from warpcore.kernels.image._backend import at_once, device_form, on_cpu, on_host, sent_back, side_by_side
from warpcore.kernels.image._chunked import chosen_frames
from warpcore.kernels.image._common_pattern import CommonPattern, common_pattern
from warpcore.kernels.image._counts import PendingCounts, raw_counts
from warpcore.kernels.image._defects import Repair, find_defects, plan_repair, sum_frames
from warpcore.kernels.image._device_frames import DeviceFrames, ReadyFrames
from warpcore.kernels.image._device_plan import Plan, device_memory_bytes, plan_movie
from warpcore.kernels.image._drawing import Colour, Picture, draw_dot, draw_line, draw_text, text_size
from warpcore.kernels.image._fourier import LINES, even_size, frequencies, irfft2, moved_back, rfft2
from warpcore.kernels.image._frame_levels import FrameLevels, frame_levels
from warpcore.kernels.image._frame_noise import frame_noise
from warpcore.kernels.image._gain import all_defects, apply_gain, multiplicative_gain
from warpcore.kernels.image._odd_frames import FrameCheck, check_frames
from warpcore.kernels.image._orientation import GainMatches, Orientation, centre, match_gain
from warpcore.kernels.image._smoothing import smoothed
from warpcore.kernels.image._splines import spline_basis
from warpcore.kernels.image._thumbnail import thumbnail

__all__ = [
    "LINES",
    "Colour",
    "CommonPattern",
    "DeviceFrames",
    "FrameCheck",
    "FrameLevels",
    "GainMatches",
    "Orientation",
    "PendingCounts",
    "Picture",
    "Plan",
    "ReadyFrames",
    "Repair",
    "all_defects",
    "apply_gain",
    "at_once",
    "centre",
    "check_frames",
    "chosen_frames",
    "common_pattern",
    "device_form",
    "device_memory_bytes",
    "draw_dot",
    "draw_line",
    "draw_text",
    "even_size",
    "find_defects",
    "frame_levels",
    "frame_noise",
    "frequencies",
    "irfft2",
    "match_gain",
    "moved_back",
    "multiplicative_gain",
    "on_cpu",
    "on_host",
    "plan_movie",
    "plan_repair",
    "raw_counts",
    "rfft2",
    "sent_back",
    "side_by_side",
    "smoothed",
    "spline_basis",
    "sum_frames",
    "text_size",
    "thumbnail",
]
