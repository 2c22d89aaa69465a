"""The sums of the flow tables, from the roll-up: units as they were on each day."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

import sqlalchemy as sa
from sqlmodel import col

from app.db import AnySelect
from app.models.poverty.flows import (
    COLUMNS,
    ENTRIES,
    FlowGrain,
    FlowKind,
    FlowTable,
    PovertyFlow,
)
from app.services.kernel.access import Db

MEASURES = ("households", "people")
_DAY = timedelta(days=1)
SIGNS = {kind: 1 if kind in ENTRIES else -1 for kind in FlowKind}
# (table, part, kind or "opening", measure) -> number
Figures = Counter[tuple[FlowTable, str, str, str]]


class _Stretch(NamedTuple):
    """Days or years whose rows are added up, both ends inclusive."""

    opening: bool
    grain: FlowGrain
    first: date
    last: date


def figures_of(
    db: Db,
    unit_ids: Sequence[int],
    by: str,
    first: date,
    last: date,
    *,
    apart: bool = False,
    branches: bool = False,
) -> Figures:
    """Opening and flows of the units together, or with `apart` each as a part of its own.

    `branches`: they are branches, whose flows are kept by days alone.
    """
    stretches = _days(first, last) if branches else _stretches(first, last)
    selects = [_sums(unit_ids, by, stretch, apart=apart) for stretch in stretches]
    found: Figures = Counter()
    if not unit_ids:
        return found
    for opening, part, poverty_class, kind, *numbers in db.execute(sa.union_all(*selects)):
        for measure, number in zip(MEASURES, numbers, strict=True):
            if opening:
                found[poverty_class, str(part), "opening", measure] += SIGNS[kind] * number
            else:
                found[poverty_class, str(part), kind.value, measure] += number
    return found


def _sums(unit_ids: Sequence[int], by: str, stretch: _Stretch, *, apart: bool) -> AnySelect:
    part = col(PovertyFlow.unit_id) if apart else col(PovertyFlow.part)
    return (
        sa.select(
            sa.literal_column("1" if stretch.opening else "0").label("opening"),
            part.label("part"),
            col(PovertyFlow.poverty_class).label("poverty_class"),
            col(PovertyFlow.kind).label("kind"),
            sa.func.sum(col(PovertyFlow.households)),
            sa.func.sum(col(PovertyFlow.people)),
        )
        .where(
            col(PovertyFlow.unit_id).in_(unit_ids),
            col(PovertyFlow.by) == by,
            col(PovertyFlow.grain) == stretch.grain,
            col(PovertyFlow.starts_on).between(stretch.first, stretch.last),
        )
        .group_by(part, col(PovertyFlow.poverty_class), col(PovertyFlow.kind))
    )


def _days(first: date, last: date) -> Iterator[_Stretch]:
    yield _Stretch(True, FlowGrain.day, date.min, first - _DAY)
    yield _Stretch(False, FlowGrain.day, first, last)


def _stretches(first: date, last: date) -> Iterator[_Stretch]:
    """Whole years by their sum, the rest by days: few rows, however long ago it began."""
    new_year = date(first.year, 1, 1)
    yield _Stretch(True, FlowGrain.year, date.min, new_year - _DAY)
    if first > new_year:
        yield _Stretch(True, FlowGrain.day, new_year, first - _DAY)
    whole_from = first.year if first == new_year else first.year + 1
    whole_to = last.year if (last.month, last.day) == (12, 31) else last.year - 1
    if whole_from > whole_to:
        yield _Stretch(False, FlowGrain.day, first, last)
        return
    begins, ends = date(whole_from, 1, 1), date(whole_to, 12, 31)
    if first < begins:
        yield _Stretch(False, FlowGrain.day, first, begins - _DAY)
    yield _Stretch(False, FlowGrain.year, begins, ends)
    if ends < last:
        yield _Stretch(False, FlowGrain.day, ends + _DAY, last)


def line_of(figures: Figures, table: FlowTable, part: str) -> dict[str, int]:
    """One line; its closing follows from the opening and the flows."""
    line: dict[str, int] = {}
    for measure in MEASURES:
        of = {name: figures[table, part, name, measure] for name in ("opening", *FlowKind)}
        closing = of["opening"] + sum(SIGNS[kind] * of[kind] for kind in FlowKind)
        line |= columns_of(of, closing, measure)
    return line


def columns_of(of: Mapping[str, int], closing: int, measure: str) -> dict[str, int]:
    """The columns of a line in one measure, from its opening and each kind of flow."""
    adjusted = of[FlowKind.adjusted_in] - of[FlowKind.adjusted_out]
    every = {**of, "adjusted": adjusted, "closing": closing}
    return {f"{name}_{measure}": every[name] for name in COLUMNS}
