"""What a movie looks like over REST: pictures, curves, tracks, picks, log lines and files, made from its outputs."""

from __future__ import annotations

from warpcore.services.api.client import Scheduler
from warpcore.services.api.pictures import data, resources
from warpcore.services.api.pictures.sending import Sender
from warpcore.services.api.pictures.tries import try_routes


def routes(scheduler: Scheduler) -> dict[str, object]:
    """The resources of this package by their paths."""
    sender, movie = Sender(scheduler), "/api/items/{name:path}"
    return try_routes(sender) | {
        f"{movie}/pictures": data.IndexResource(sender),
        f"{movie}/picture/thumbnail": resources.ThumbnailResource(sender),
        f"{movie}/picture/average": resources.AverageResource(sender),
        f"{movie}/picture/spectrum": resources.SpectrumResource(sender),
        f"{movie}/picture/motion": resources.MotionResource(sender),
        f"{movie}/picture/picks": resources.PicksPictureResource(sender),
        f"{movie}/picture/junk": resources.JunkResource(sender),
        f"{movie}/curves": data.CurvesResource(sender),
        f"{movie}/tracks": data.TracksResource(sender),
        f"{movie}/picks": data.PicksResource(sender),
        f"{movie}/picks/hand": data.HandPicksResource(sender),
        f"{movie}/picks/hand/undo": data.UndoHandPicksResource(sender),
        f"{movie}/log": data.LogResource(sender),
        f"{movie}/files/{{file:path}}": data.FileResource(sender),
    }
