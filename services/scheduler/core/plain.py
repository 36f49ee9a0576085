"""Stimuli as plain values and back, effects as a label and a digest: what a recording is made of."""

from __future__ import annotations

import hashlib
from dataclasses import fields, is_dataclass
from typing import Any

import msgpack
import msgspec

from warpcore.bus.schema import Message, read_message
from warpcore.bus.vocabulary import FailureKind, StoragePlace
from warpcore.services.scheduler.core import effects as e
from warpcore.services.scheduler.core import stimuli as s
from warpcore.services.session.generations import Generation
from warpcore.services.session.settings import Settings, parse_settings
from warpcore.services.storage.looking import KnownFile
from warpcore.services.storage.standing import Look

_STIMULI: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        s.FromControl,
        s.FromWorker,
        s.ChangeSettings,
        s.StartTry,
        s.Started,
        s.Tick,
        s.AssignmentUndelivered,
        s.OutputsMissing,
        s.StateFault,
        s.OutputsRestored,
        s.RestoringFailed,
        s.StorageLooked,
        s.ReferencesLooked,
        s.OutputsPlaced,
        s.PlacingFailed,
        s.ExportRemoved,
    )
}


def stimulus_to_plain(stimulus: s.Stimulus) -> dict[str, Any]:
    """A map of plain values with the stimulus's `kind`."""
    return {
        "kind": type(stimulus).__name__,
        **{name: _value(value) for name, value in msgspec.structs.asdict(stimulus).items()},
    }


def stimulus_from_plain(plain: dict[str, Any]) -> s.Stimulus:
    """The stimulus of such a map. Raises ValueError, KeyError, TypeError or WireError for a bad one."""
    values = dict(plain)
    kind = _STIMULI[values.pop("kind")]
    if "message" in values:
        values["message"] = read_message(values["message"]["type"], values["message"]["body"])
    if "settings" in values:
        values["settings"] = parse_settings(values["settings"])
    if "again" in values:
        values["fault"] = FailureKind(values["fault"])
    if values.get("generation") is not None:
        values["generation"] = Generation(**values["generation"])
    if "look" in values:
        look, tokens = Look(**values["look"]), tuple(values["tokens"])
        values |= {"place": StoragePlace(values["place"]), "look": look, "tokens": tokens}
    if "sought" in values and "found" in values:
        values |= {"sought": tuple(values["sought"]), "found": tuple(KnownFile(**one) for one in values["found"])}
    stimulus: s.Stimulus = kind(**values)
    return stimulus


def title(stimulus: s.Stimulus) -> str:
    """What a person calls a stimulus."""
    match stimulus:
        case s.StorageLooked(_, path):
            return f"look at {path}"
        case s.FromControl(message):
            return f"{message.TYPE} from a client"
        case s.FromWorker(sender, message):
            return f"{message.TYPE} from {sender.decode(errors='replace')}"
        case s.StartTry(name):
            return f"try of {name}"
        case s.OutputsMissing(movie) | s.OutputsRestored(movie) | s.RestoringFailed(movie):
            return f"{type(stimulus).__name__} of movie {movie}"
        case s.ExportRemoved(job):
            return f"{type(stimulus).__name__} of {job}"
        case s.AssignmentUndelivered(lease) | s.OutputsPlaced(lease) | s.PlacingFailed(lease):
            return f"{type(stimulus).__name__} of lease {lease}"
    return type(stimulus).__name__


def digest(effect: e.Effect) -> tuple[str, str]:
    """What a person calls an effect, and a hash of all that is in it."""
    packed = msgpack.packb(effect, default=_value)
    return _label(effect), hashlib.sha256(packed).hexdigest()[:16]


def _label(effect: e.Effect) -> str:
    name = type(effect).__name__
    match effect:
        case e.SaveMovie(row):
            return f"{name} {row.name} as {row.status}"
        case e.SaveTask(row):
            return f"{name} lease {row.lease}"
        case e.SaveExport(row):
            return f"{name} {row.job}"
        case e.DropExport(job) | e.RemoveExport(job):
            return f"{name} {job}"
        case e.SaveChoice(row):
            return f"{name} {row.step} {row.key}"
        case e.PlaceOutputs(_, lease) | e.DropStaging(_, lease):
            return f"{name} lease {lease}"
        case e.DropTask(lease):
            return f"{name} lease {lease}"
        case e.Publish(topic, _, seq):
            return f"{name} {topic} {seq}"
        case e.Send(sender, message):
            return f"{name} {message.TYPE} to {sender.decode(errors='replace')}"
        case e.Reply(message):
            return f"{name} {message.TYPE}"
    return name


def _value(value: Any) -> Any:
    """Plain values for what msgpack does not know."""
    if isinstance(value, Message):
        return {"type": value.TYPE, "body": value.to_body()}
    if isinstance(value, Settings):
        return value.to_dict()
    if isinstance(value, tuple):
        return [_value(one) for one in value]
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.asdict(value)
    if is_dataclass(value):
        return {one.name: getattr(value, one.name) for one in fields(value)}
    return value
