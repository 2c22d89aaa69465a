"""What a unit came from and became, and which part of its people went where."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import col

from app.db import AnySelect
from app.models.kernel.lineage import LineageStep
from app.models.kernel.units import (
    SuccessionRead,
    Unit,
    UnitClosure,
    UnitRef,
    UnitSuccession,
)
from app.models.members.spells import Left, Membership
from app.services.kernel.access import Db
from app.services.units.units import counts_on, valid_on

_DAY = timedelta(days=1)


def steps(db: Db, unit_id: int, *, forward: bool) -> list[dict[str, Any]]:
    """What the unit came from or became, as SuccessionRead."""
    return [_step(row) for row in _rows(db, {unit_id}, forward=forward)]


def lineage_steps(db: Db, unit_id: int, *, forward: bool, countable: bool) -> list[LineageStep]:
    """The same, and what they came from or became in turn, the nearest first; with the share of the
    people who went there where the reader may count them."""
    found: list[Any] = []
    seen = nearest = {unit_id}
    while nearest:
        rows = _rows(db, nearest, forward=forward)
        found += rows
        nearest = {row.id for row in rows if row.id is not None} - seen
        seen = seen | nearest
    shares = _shares(db, found) if countable else {}
    return [LineageStep(**_step(row), share=shares.get(row.succession_id)) for row in found]


def _rows(db: Db, unit_ids: Collection[int], *, forward: bool) -> Sequence[Any]:
    own: Any = UnitSuccession.from_unit_id if forward else UnitSuccession.to_unit_id
    other: Any = UnitSuccession.to_unit_id if forward else UnitSuccession.from_unit_id
    statement: AnySelect = (
        sa.select(
            col(UnitSuccession.id).label("succession_id"),
            col(UnitSuccession.kind),
            col(UnitSuccession.effective_on),
            col(UnitSuccession.decree),
            col(UnitSuccession.inferred),
            col(Unit.id),
            col(Unit.level),
            col(Unit.name),
        )
        .join(Unit, col(Unit.id) == other, isouter=True)
        .where(own.in_(unit_ids))
        .order_by(col(UnitSuccession.effective_on), col(UnitSuccession.id))
    )
    return db.execute(statement).all()


def _step(row: Any) -> dict[str, Any]:
    unit = None if row.id is None else UnitRef.model_validate(row)
    return {"unit": unit} | {
        name: getattr(row, name) for name in SuccessionRead.model_fields if name != "unit"
    }


def _shares(db: Db, rows: Sequence[Any]) -> Mapping[int, float]:
    """Of the people of the old unit on its last day, those whose branch, or the one it was made part
    of, stood in the new one on the next: by succession, where there were any."""
    by_day: dict[date, list[int]] = defaultdict(list)
    for row in rows:
        by_day[row.effective_on].append(row.succession_id)
    found: dict[int, float] = {}
    for since, succession_ids in by_day.items():
        went_on = sa.and_(
            col(Membership.left_by) == Left.reorganisation,
            col(Membership.valid_to) == since - _DAY,
        )
        stood_in = sa.case((went_on, col(Membership.to_branch_id)), else_=col(Membership.branch_id))
        old, new = aliased(UnitClosure), aliased(UnitClosure)
        counted = db.execute(
            sa.select(
                col(UnitSuccession.id),
                sa.func.count().label("people"),
                sa.func.count(col(new.ancestor_id)).label("went"),
            )
            .join(old, col(old.ancestor_id) == col(UnitSuccession.from_unit_id))
            .join(Membership, col(Membership.branch_id) == col(old.descendant_id))
            .join(
                new,
                sa.and_(
                    col(new.ancestor_id) == col(UnitSuccession.to_unit_id),
                    col(new.descendant_id) == stood_in,
                    valid_on(new, since),
                ),
                isouter=True,
            )
            .where(
                col(UnitSuccession.id).in_(succession_ids),
                valid_on(old, since - _DAY),
                counts_on(since - _DAY),
            )
            .group_by(col(UnitSuccession.id))
        )
        found |= {row.id: round(row.went / row.people, 4) for row in counted}
    return found
