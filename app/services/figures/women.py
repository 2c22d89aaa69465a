"""Women of 18 and over in the area of each branch: entered with the day they were counted."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from app.clock import local_today, utc_now
from app.db import AnySelect
from app.errors import Problem, invalid, not_found
from app.models.figures.women import (
    WomenCount,
    WomenCountCreate,
    WomenCountQuery,
    WomenCountRead,
    WomenCountUpdate,
)
from app.models.kernel.access import Right
from app.models.kernel.units import SuccessionKind, Unit, UnitLevel, UnitSuccession
from app.services.figures import stale
from app.services.kernel.access import (
    Actor,
    Db,
    Expected,
    ensure,
    ensure_revision,
    require_somewhere,
)
from app.services.kernel.actors import reach_of
from app.services.kernel.created_once import created_once, holds
from app.services.kernel.keyset import Order, Pages, pages
from app.services.kernel.offers import Day, FigureRows
from app.services.units.followers import Days
from app.services.units.in_tree import rows_of_units
from app.services.units.rows import unit_of
from app.services.units.units import ensure_open, find_target, find_unit

_COLUMNS = [getattr(WomenCount, name) for name in WomenCountRead.model_fields]
_NEWEST = Order(col(WomenCount.as_of).desc(), col(WomenCount.id).desc())


def list_counts(db: Db, actor: Actor, query: WomenCountQuery) -> Pages:
    """Those of the branches in my scope, the newest day first."""
    require_somewhere(db, actor, Right.members_read)
    here = rows_of_units(
        db,
        actor,
        Right.members_read,
        find_unit(db, actor, query.unit),
        query,
        lambda unit: reach_of(db, unit).predicate(Unit),
    )
    statement: AnySelect = (
        sa.select(*_COLUMNS).join(Unit, col(Unit.id) == col(WomenCount.branch_id)).where(*here)
    )
    return pages(statement, _NEWEST)


def create(session: Session, actor: Actor, body: WomenCountCreate) -> tuple[WomenCount, bool]:
    """Enter how many there were in a branch on a day; 409 `women_counted` where that is known."""
    unit = find_target(
        session,
        actor,
        body.branch_id,
        Right.members_write,
        pointer="/branch_id",
        level=UnitLevel.branch,
    )
    values = body.model_dump(exclude={"id"}) | {"branch_id": unit.id}
    counted = Problem("women_counted", unit=unit.name, date=body.as_of.isoformat())
    return created_once(
        session,
        WomenCount,
        body.id,
        partial(_made, unit, values),
        same=holds(values),
        taken={"uq_women_count_branch_id_as_of": counted},
    )


def _made(unit: Unit, values: dict[str, Any]) -> WomenCount:
    made = WomenCount(**values, created_at=utc_now(), updated_at=utc_now())
    if made.as_of > local_today():
        raise invalid("date_in_future", "/as_of")
    ensure_open(unit, made.as_of, pointer="/as_of")
    return made


def update(
    session: Session, actor: Actor, count_id: UUID, body: WomenCountUpdate, expected: Expected
) -> WomenCount:
    count = session.get(WomenCount, count_id, with_for_update=True)
    if count is None:
        require_somewhere(session, actor, Right.members_read)
        raise not_found()
    unit = unit_of(session, count.branch_id)
    ensure(session, actor, Right.members_write, unit, seen_with=Right.members_read)
    ensure_revision(count.revision, expected)
    for name, value in body.model_dump(exclude_unset=True).items():
        setattr(count, name, value)
    session.flush()
    return count


def last_days_in(db: Db, unit_ids: Sequence[int]) -> Days:
    """The last day of which each branch is counted."""
    branch = col(WomenCount.branch_id)
    last = sa.select(branch, sa.func.max(col(WomenCount.as_of)))
    return db.execute(last.where(branch.in_(unit_ids)).group_by(branch)).all()


def read(count: WomenCount) -> dict[str, Any]:
    return {name: getattr(count, name) for name in WomenCountRead.model_fields}


# -- figures


def _newest(_: Day, last: Day) -> AnySelect:
    """Of each branch that stands on the day the last count up to it. Once another branch was made part
    of it, what was counted before is not of its area."""
    later = aliased(WomenCount)
    newer = (
        col(later.branch_id) == col(WomenCount.branch_id),
        col(later.as_of) > col(WomenCount.as_of),
        col(later.as_of) <= last,
    )
    grown = (
        col(UnitSuccession.to_unit_id) == col(WomenCount.branch_id),
        col(UnitSuccession.kind) == SuccessionKind.merge,
        col(UnitSuccession.effective_on) > col(WomenCount.as_of),
        col(UnitSuccession.effective_on) <= last,
    )
    return (
        sa.select(
            col(WomenCount.branch_id).label("unit_id"),
            col(WomenCount.id).label("key"),
            col(WomenCount.id).label("row_id"),
            col(WomenCount.as_of).label("day"),
            col(WomenCount.source).label("title"),
            col(WomenCount.women),
        )
        .join(Unit, col(Unit.id) == col(WomenCount.branch_id))
        .where(
            col(WomenCount.as_of) <= last,
            sa.or_(col(Unit.closed_on).is_(None), col(Unit.closed_on) >= last),
            ~sa.exists().where(*newer),
            ~sa.exists().where(*grown),
        )
    )


# What is marked of a branch that another one was made part of: the log has it where that one was.
_GROWN: Final = "women_area"


def mark_grown(session: Session, unit_ids: Sequence[int]) -> None:
    stale.mark(session, _GROWN, unit_ids)


FIGURES: Final = (
    FigureRows(
        name="women",
        entity="women_count",
        right=Right.members_read,
        select=_newest,
        rolled_up={"women_count": None, "unit": None, _GROWN: None},
    ),
)
