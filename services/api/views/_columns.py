"""What there is to know of a column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

from msgspec import Meta

from warpcore.services.api.views._naming import View

if TYPE_CHECKING:
    from warpcore.services.api.mirror.catalogue import MovieColumn


class ColumnLimit(View, frozen=True):
    """A limit of the filter for a column."""

    setting: Annotated[str, Meta(description="The setting's name.")]
    upper: Annotated[bool, Meta(description="Whether larger values are filtered out, or smaller ones.")]


class ColumnView(View, frozen=True):
    """A column of movies."""

    name: str
    heading: Annotated[str, Meta(description="Title in tables, without the unit.")]
    description: str
    unit: str
    digits: Annotated[int, Meta(description="Decimal places of its numbers.")]
    step: Annotated[str, Meta(description="The step that measures it; empty: none.")]
    kind: Annotated[str, Meta(description="How it stands in a series: `u32`, `number`, `word` or `text`.")]
    main: Annotated[bool, Meta(description="Whether it is shown where no columns are chosen.")]
    limits: list[ColumnLimit]
    failed: Annotated[bool, Meta(description="Whether a limit also takes out movies whose step found nothing.")]

    @classmethod
    def of_column(cls, column: MovieColumn) -> Self:
        """The view of a column."""
        limits = [ColumnLimit(setting=f"filter.{limit.name}", upper=limit.upper) for limit in column.limits]
        return cls(
            name=column.name,
            heading=column.heading,
            description=column.description,
            unit=column.unit,
            digits=column.digits,
            step=column.step,
            kind=column.kind,
            main=column.main,
            limits=limits,
            failed=column.failed,
        )
