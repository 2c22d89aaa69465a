"""The sums of the flow tables in one tree of units, for the whole period: counted from the stays.

That a branch stands elsewhere since is no movement of its households then.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import groupby

import sqlalchemy as sa
from sqlmodel import col

from app.models.poverty.flows import FlowTable, PovertyStay
from app.services.kernel.access import Db
from app.services.poverty.account import STAY_COLUMNS, stay_of
from app.services.poverty.flow_sums import MEASURES, Figures
from app.services.poverty.stays import Counted, Stay, steps_of

_DAY = timedelta(days=1)


def figures_in(
    db: Db, parts: sa.CTE, by: str, first: date, last: date, *, apart: bool = False
) -> Figures:
    """Opening and flows of the parts together, or with `apart` each as a part of its own.

    `parts`: the units that count in each (`units.hierarchy`).
    """
    part_of = {row.id: row.part_id for row in db.execute(sa.select(parts.c.id, parts.c.part_id))}
    found: Figures = Counter()

    def add(unit_id: int, poverty_class: FlowTable, name: str, counted: Counted) -> None:
        divisions = [part for division, part in counted.parts() if division == by]
        for part in [str(unit_id)] if apart else divisions:
            for measure, number in zip(MEASURES, (1, counted.people), strict=True):
                found[poverty_class, part, name, measure] += number

    for stays in _households(db, parts, first, last):
        for stay in stays:
            part = part_of.get(stay.branch_id)
            if part is not None and _stood(stay, first - _DAY):
                add(part, stay.poverty_class, "opening", stay.counted)
        for step in steps_of(stays, lambda stay: (part_of.get(stay.branch_id),)):
            if first <= step.day <= last:
                add(step.unit_id, step.poverty_class, step.kind, step.counted)
    return found


def _stood(stay: Stay, day: date) -> bool:
    return stay.valid_from <= day and (stay.valid_to is None or day <= stay.valid_to)


def _households(db: Db, parts: sa.CTE, first: date, last: date) -> Iterator[Sequence[Stay]]:
    """Of each household that has a stay in these units: all its stays of these days and of the eve,
    wherever it was."""
    then = sa.and_(
        col(PovertyStay.valid_from) <= last,
        sa.or_(col(PovertyStay.valid_to).is_(None), col(PovertyStay.valid_to) >= first - _DAY),
    )
    here = sa.select(col(PovertyStay.household_id)).where(
        then, col(PovertyStay.branch_id).in_(sa.select(parts.c.id))
    )
    rows = db.execute(
        sa.select(*STAY_COLUMNS)
        .where(then, col(PovertyStay.household_id).in_(here))
        .order_by(col(PovertyStay.household_id), col(PovertyStay.valid_from))
    )
    for _, stays in groupby(rows, key=lambda row: row.household_id):
        yield [stay_of(row) for row in stays]
