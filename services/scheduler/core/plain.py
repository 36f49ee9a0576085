"""Stimuli as plain values and back, effects as a label and a digest: what a recording is made of."""

from __future__ import annotations

import hashlib
from dataclasses import fields, is_dataclass
from typing import Any

import msgpack

from warpcore.bus.schema import Message, read_message
from warpcore.bus.vocabulary import FailureKind, StoragePlace
from warpcore.services.scheduler.core import effects as e
from warpcore.services.session.generations import Generation
from warpcore.services.session.settings import Settings, parse_settings
from warpcore.services.storage.standing import Look

_STIMULI: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        e.FromControl,
        e.FromWorker,
        e.ChangeSettings,
        e.StartTry,
        e.Started,
        e.Tick,
        e.AssignmentUndelivered,
        e.OutputsMissing,
        e.StateFault,
        e.OutputsRestored,
        e.StorageLooked,
        e.OutputsPlaced,
        e.PlacingFailed,
    )
}


def stimulus_to_plain(stimulus: e.Stimulus) -> dict[str, Any]:
    """A map of plain values with the stimulus's `kind`."""
    return {
        "kind": type(stimulus).__name__,
        **{one.name: _value(getattr(stimulus, one.name)) for one in fields(stimulus)},
    }


def stimulus_from_plain(plain: dict[str, Any]) -> e.Stimulus:
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
    stimulus: e.Stimulus = kind(**values)
    return stimulus


def title(stimulus: e.Stimulus) -> str:
    """What a person calls a stimulus."""
    match stimulus:
        case e.StorageLooked(_, path):
            return f"look at {path}"
        case e.FromControl(message):
            return f"{message.TYPE} from a client"
        case e.FromWorker(sender, message):
            return f"{message.TYPE} from {sender.decode(errors='replace')}"
        case e.StartTry(name):
            return f"try of {name}"
        case e.OutputsMissing(movie) | e.OutputsRestored(movie):
            return f"{type(stimulus).__name__} of movie {movie}"
        case e.AssignmentUndelivered(lease) | e.OutputsPlaced(lease) | e.PlacingFailed(lease):
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
    if is_dataclass(value):
        return {one.name: getattr(value, one.name) for one in fields(value)}
    return value
