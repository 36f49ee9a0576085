"""The report as HTML: everything in one file, no script, readable on paper."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np

from warpcore.bus.messages import Alarm, Movie, ProcessingStatus, Worker
from warpcore.services.api.http.headers import NOTHING_LOADED
from warpcore.services.api.markup import Inside, document_text, table, tag
from warpcore.services.api.mirror.catalogue import COLUMNS, MovieColumn
from warpcore.services.api.mirror.cells import cells
from warpcore.services.api.mirror.mirror import Copied
from warpcore.services.api.report.charts import Measured, histogram, over_time
from warpcore.services.api.report.choosing import (
    Extremes,
    Rows,
    drawn_columns,
    extremes,
    kept_movies,
    measured,
    title,
)
from warpcore.services.session.describing import descriptions
from warpcore.services.session.settings import Settings

MOST_FAILURES = 50
OPTICS = ("import.pixel_size", "import.dose_per_frame", "ctf.voltage", "ctf.cs", "ctf.amplitude_contrast")
MOVIE_COLUMNS = (
    "input.frames",
    "input.width",
    "input.height",
    "input.pixelSizeAngstrom",
    "input.dosePerFrame",
    "input.voltageKv",
    "input.csMm",
)
_CAPTION = ("ctf.resolutionAngstrom", "ctf.defocusUm", "motion.meanFrameMovementAngstrom", "picking.count")
_STYLE = Path(__file__).with_name("report.css").read_text(encoding="utf-8")
_STYLE_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
CONTENT_POLICY = f"{NOTHING_LOADED}; style-src 'sha256-{_STYLE_DIGEST}'; img-src data:"
"""The report holds its own style and pictures, and nothing else may be loaded, also where the file is opened later."""

Thumbnail = Callable[[str], bytes | None]
"""A movie's small picture as JPEG by its name; None where there is none."""


@dataclass(frozen=True, slots=True)
class Session:
    """What a report is made of, all of about the same moment `at` (s since 1970).

    `failures` are the last failed movies, `versions` those of each process by its name.
    """

    at: float
    copied: Copied
    status: ProcessingStatus
    settings: Settings
    workers: list[Worker]
    alarms: list[Alarm]
    failures: list[Movie]
    versions: Mapping[str, Mapping[str, str]]
    thumbnail: Thumbnail


def needed_columns(settings: Settings) -> list[str]:
    """The columns of the mirror that a report is made of."""
    named = [COLUMNS[name].source for name in (*MOVIE_COLUMNS, *_CAPTION)]
    drawn = [column.source for column in drawn_columns(settings.filter)]
    own = ["id", "mtime_ns", "status", "selection", "picking.count", "export.particle_count"]
    return list(dict.fromkeys([*own, *named, *drawn]))


def report(session: Session) -> str:
    """The whole document."""
    name = Path(session.status.data_directory).name or "session"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", **{"http-equiv": "Content-Security-Policy"}, content=CONTENT_POLICY),
        tag("meta", name="viewport", content="width=device-width"),
        tag("title", f"{name}: session report"),
        tag("style", _STYLE),
    )
    sections = (
        _section("Session", _facts(session)),
        _section("Alarms", _alarms(session)),
        _section("Optics and movies", _optics(session)),
        _section("Measured", _charts(session)),
        _section("Best and worst movies", _extremes(session)),
        _section("Failures", _failures(session)),
        _section("Settings", _settings(session)),
        _section("Workers and versions", _versions(session)),
    )
    made = f"warpcore {session.versions['api'].get('warpcore', '')}, report of {_time(session.at)}"
    return document_text(head, tag("body", tag("h1", name), tag("p", made), *sections))


def _section(heading: str, inside: list[Element]) -> Element:
    return tag("section", tag("h2", heading), *(inside or [tag("p", "None.")]))


def _facts(session: Session) -> list[Element]:
    copied, status = session.copied, session.status
    counts = ", ".join(f"{_number(count)} {word.replace('_', ' ')}" for word, count in status.counts.items() if count)
    rows: list[tuple[str, str]] = [
        ("Data", status.data_directory),
        ("Results", status.processing_directory),
        ("Movies", f"{_number(status.total)}: {counts}" if counts else "none has been found yet"),
    ]
    if len(copied.ids):
        times = copied.numbers["mtime_ns"] * 1e-9
        rows += [
            ("First movie", _time(float(times.min()))),
            ("Last movie", _time(float(times.max()))),
            ("Kept", _kept(copied)),
        ]
    if status.rate_per_hour is not None:
        rows.append(("Rate", f"{status.rate_per_hour:.0f} movies/h"))
    rows.append(("State", f"{'processing' if status.is_processing else 'paused'}, {_number(status.left)} movies left"))
    return [_pairs(rows)]


def _kept(copied: Copied) -> str:
    kept = kept_movies(copied)
    told = "1 movie" if kept.sum() == 1 else f"{_number(kept.sum())} movies"
    for name, done in (("picking.count", "picked"), ("export.particle_count", "written")):
        counts = copied.numbers[name][kept]
        if np.isfinite(counts).any():
            told += f", {_number(np.nansum(counts))} particles {done}"
    return told


def _alarms(session: Session) -> list[Element]:
    rows = [(alarm.severity, _time(alarm.since), alarm.text) for alarm in session.alarms]
    return table(("Severity", "Since", "What"), rows)


def _optics(session: Session) -> list[Element]:
    described = {one.name: one for one in descriptions()}
    values = session.settings.to_dict()
    rows: list[tuple[str, str]] = []
    for name in OPTICS:
        section, _, field = name.partition(".")
        if values[section][field] is not None:
            rows.append((name, _with_unit(values[section][field], described[name].unit)))
    for column in (COLUMNS[name] for name in MOVIE_COLUMNS):
        known = session.copied.numbers[column.source]
        known = known[np.isfinite(known)]
        if len(known):
            low, high = known.min(), known.max()
            ends = f"{low:.{column.digits}f}" + ("" if low == high else f" to {high:.{column.digits}f}")
            rows.append((f"{column.heading}, measured", f"{ends} {column.unit}".strip()))
    return [_pairs(rows)]


def _charts(session: Session) -> list[Element]:
    limits = session.settings.filter
    shown = [_chart(one) for one in measured(session.copied, drawn_columns(limits), limits)]
    if not shown:
        return []
    key = tag(
        "p",
        tag("span", "●", **{"class": "kept"}),
        " kept ",
        tag("span", "●", **{"class": "out"}),
        " filtered out or excluded ",
        tag("span", "┄", **{"class": "limit"}),
        " limit. Time is that of the movies' files, UTC. The few values far from all others stand at the edge.",
    )
    return [key, *shown]


def _chart(one: Measured) -> Element:
    low, middle, high = (f"{value:.{one.digits}f}" for value in np.percentile(one.values, [5, 50, 95]))
    caption = f" median {middle}, from {low} to {high} in 90 % of {_number(len(one.values))} movies"
    return tag(
        "figure",
        tag("figcaption", tag("b", one.heading), caption),
        tag("div", over_time(one), histogram(one), **{"class": "charts"}),
    )


def _extremes(session: Session) -> list[Element]:
    found = extremes(session.copied)
    if found is None:
        return []
    by = tag("p", f"By {title(found.column)}.")
    return [by, *_gallery(session, found, "Best", found.best), *_gallery(session, found, "Worst", found.worst)]


def _gallery(session: Session, found: Extremes, heading: str, rows: Rows) -> Iterator[Element]:
    if not len(rows):
        return
    shown = list(dict.fromkeys((found.column, *(COLUMNS[name] for name in _CAPTION))))
    values = list(zip(*(cells(session.copied, column, rows) for column in shown), strict=True))
    figures = (_movie(session, session.copied.names[row], shown, told) for row, told in zip(rows, values, strict=True))
    yield tag("h3", heading)
    yield tag("div", *figures, **{"class": "movies"})


def _movie(session: Session, name: str, columns: list[MovieColumn], values: tuple[Any, ...]) -> Element:
    told = "; ".join(
        f"{column.heading} {value:.{column.digits}f} {column.unit}".rstrip()
        for column, value in zip(columns, values, strict=True)
        if value is not None
    )
    caption = tag("figcaption", tag("b", name), tag("br"), told)
    picture = session.thumbnail(name)
    if picture is None:
        return tag("figure", tag("p", "no picture"), caption)
    source = f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}"
    return tag("figure", tag("img", src=source, alt=f"average of {name}"), caption)


def _failures(session: Session) -> list[Element]:
    rows = [
        (movie.name, failure.kind, failure.step, failure.message)
        for movie in session.failures
        if (failure := movie.failure) is not None
    ]
    left = session.status.counts.get("failed", 0) - len(rows)
    more = [tag("p", f"{left} earlier ones are not shown.")] if left > 0 else []
    return [*table(("Movie", "Kind", "Step", "What happened"), rows), *more]


def _settings(session: Session) -> list[Element]:
    """All settings; those that differ from their defaults are bold."""
    values = session.settings.to_dict()
    rows: list[tuple[Inside, ...]] = []
    for one in descriptions():
        section, _, field = one.name.partition(".")
        value = values[section][field]
        shown = _with_unit(value, one.unit)
        rows.append((one.name, shown if value == one.default else tag("b", shown), _plain(one.default)))
    return [tag("p", "Bold ones differ from their defaults."), *table(("Setting", "Value", "Default"), rows)]


def _versions(session: Session) -> list[Element]:
    rows: list[tuple[str, ...]] = [(name, "", _listed(versions)) for name, versions in session.versions.items()]
    rows += [(one.id, f"{one.device}, {one.done} movies done", _listed(one.versions)) for one in session.workers]
    return table(("Process", "", "Versions"), rows)


def _pairs(rows: list[tuple[str, str]]) -> Element:
    return tag("table", *(tag("tr", tag("th", name, scope="row"), tag("td", value)) for name, value in rows))


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _plain(value: Any) -> str:
    """A setting's value as JSON, a text without its quotes."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _with_unit(value: Any, unit: str) -> str:
    return _plain(value) if value is None or not unit else f"{_plain(value)} {unit}"


def _number(number: float) -> str:
    """A whole number in groups of three digits."""
    return f"{number:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
