"""All columns of a movie by their names over REST, with what a client must know to read and show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from warpcore.bus.vocabulary import Word
from warpcore.services.api.views import camel
from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.columns import TIME_OF_DAY, Column, Limit
from warpcore.services.steps.step import INPUT


class Kind(Word):
    """How a column's values travel in a series."""

    U32 = "u32", "Unsigned 32-bit numbers."
    NUMBER = "number", "Numbers with the column's digits, or none."
    WORD = "word", "Places in a list of words, or none."
    TEXT = "text", "Lines of text."


@dataclass(frozen=True, slots=True)
class MovieColumn:
    """A column over REST. `source` is its name in the mirror, `step` the step that measures it ("": none).

    `failed`: a limit also rejects movies whose step found nothing.

    Numbers have `digits` decimal places and the unit `unit`; the mirror's value times `factor` is that in `unit`.
    """

    name: str
    source: str
    kind: Kind
    heading: str
    description: str
    unit: str = ""
    digits: int = 0
    step: str = ""
    main: bool = False
    limits: tuple[Limit, ...] = ()
    failed: bool = False
    factor: float = 1.0


_OWN = (
    MovieColumn("id", "id", Kind.U32, "number", "number of the movie, in order of discovery"),
    MovieColumn("name", "name", Kind.TEXT, "movie", "path without its extension", main=True),
    MovieColumn("status", "status", Kind.WORD, "status", "where the movie stands", main=True),
    MovieColumn("selection", "selection", Kind.WORD, "selection", "the user's own choice"),
    MovieColumn("priority", "priority", Kind.NUMBER, "priority", "higher goes first, 0 is ordinary"),
    MovieColumn("worker", "worker", Kind.WORD, "worker now", "the worker that has it now"),
    MovieColumn("generation", "generation", Kind.U32, "generation", "names the present results: equal results, equal"),
    MovieColumn("added", "id", Kind.U32, "added", "order of discovery"),
    MovieColumn("acquired", "mtime_ns", Kind.NUMBER, "acquired", "time of the file", unit=TIME_OF_DAY, factor=1e-9),
)


def _measured(column: Column) -> MovieColumn:
    return MovieColumn(
        name=camel(column.name),
        source=column.name,
        kind=Kind.WORD if column.is_text else Kind.NUMBER,
        heading=column.heading,
        description=column.description,
        unit=column.unit,
        digits=column.digits,
        step="" if column.step == INPUT else column.step,
        main=column.main,
        limits=column.limits,
        failed=bool(column.failed),
    )


COLUMNS: Mapping[str, MovieColumn] = {one.name: one for one in (*_OWN, *map(_measured, CHAIN.columns))}
"""All columns by name: those of the movie itself, then those that are measured, in order."""

ID = COLUMNS["id"]
MAIN = tuple(column for column in COLUMNS.values() if column.main)
