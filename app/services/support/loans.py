"""Figures of loans as banks and funds report them, by unit and day: never the truth of the books."""

from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import utc_now
from app.errors import Problem, invalid, not_found
from app.models.kernel.access import Right
from app.models.kernel.units import Unit
from app.models.support.loans import (
    LoanFigure,
    LoanFigureCreate,
    LoanFigureRead,
    LoanFigureUpdate,
    LoanQuery,
)
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
from app.services.kernel.keyset import Order, Pages, each, pages
from app.services.units.followers import Days
from app.services.units.in_tree import rows_of_units
from app.services.units.rows import unit_of
from app.services.units.units import ensure_open, find_target, find_unit

_COLUMNS = [getattr(LoanFigure, n) for n in LoanFigureRead.model_fields if n != "overdue_rate"]


_NEWEST = Order(col(LoanFigure.as_of).desc(), col(LoanFigure.id).desc())


def list_figures(db: Db, actor: Actor, query: LoanQuery) -> Pages:
    """Figures of the units in my scope, the newest day first."""
    require_somewhere(db, actor, Right.support_read)
    unit = find_unit(db, actor, query.unit)
    here = rows_of_units(db, actor, Right.support_read, unit, query, partial(_standing, db))
    statement = (
        sa.select(*_COLUMNS).join(Unit, col(Unit.id) == col(LoanFigure.unit_id)).where(*here)
    )
    if query.scheme is not None:
        statement = statement.where(col(LoanFigure.scheme) == query.scheme)
    return pages(statement, _NEWEST, each(read))


def of_ids(db: Db, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """Figures as lists have them, in no order; the caller knows that the actor sees them."""
    found = db.execute(sa.select(*_COLUMNS).where(col(LoanFigure.id).in_(ids)))
    return [read(row) for row in found]


def _standing(db: Db, unit: Unit) -> sa.ColumnElement[bool]:
    """Units with their own id too: groups are in no path."""
    return sa.or_(col(Unit.id) == unit.id, reach_of(db, unit).predicate(Unit))


def create(session: Session, actor: Actor, body: LoanFigureCreate) -> tuple[LoanFigure, bool]:
    """Enter what is reported of a unit as of a day."""
    unit = find_target(session, actor, body.unit_id, Right.support_write, pointer="/unit_id")
    exists = Problem("loan_figure_exists", scheme=body.scheme, date=body.as_of.isoformat())
    return created_once(
        session,
        LoanFigure,
        body.id,
        partial(_made, unit, body),
        same=holds(body.model_dump(exclude={"id"})),
        taken={"uq_loan_figure_as_of": exists},
    )


def _made(unit: Unit, body: LoanFigureCreate) -> LoanFigure:
    ensure_open(unit, body.as_of, pointer="/as_of")
    _ensure_within(body.overdue_vnd, body.outstanding_vnd)
    now = utc_now()
    return LoanFigure(
        **body.model_dump(exclude={"id"}),
        province_id=unit.province_id,
        created_at=now,
        updated_at=now,
    )


def _ensure_within(overdue: int, outstanding: int) -> None:
    if overdue > outstanding:
        raise invalid("too_large", "/overdue_vnd", max=outstanding)


def last_days_in(db: Db, unit_ids: Sequence[int]) -> Days:
    """The last day of which figures of each unit are known."""
    unit = col(LoanFigure.unit_id)
    last = sa.select(unit, sa.func.max(col(LoanFigure.as_of)))
    return db.execute(last.where(unit.in_(unit_ids)).group_by(unit)).all()


def update(
    session: Session,
    actor: Actor,
    figure_id: UUID,
    body: LoanFigureUpdate,
    expected: Expected,
) -> LoanFigure:
    figure = session.get(LoanFigure, figure_id, with_for_update=True)
    if figure is None:
        require_somewhere(session, actor, Right.support_read)
        raise not_found()
    unit = unit_of(session, figure.unit_id)
    ensure(session, actor, Right.support_write, unit, seen_with=Right.support_read)
    ensure_revision(figure.revision, expected)
    for name, value in body.model_dump(exclude_unset=True).items():
        setattr(figure, name, value)
    _ensure_within(figure.overdue_vnd, figure.outstanding_vnd)
    session.flush()
    return figure


def read(row: Any) -> dict[str, Any]:
    """A row or an entity as LoanFigureRead."""
    owed = row.outstanding_vnd
    rate = round(100 * row.overdue_vnd / owed, 2) if owed else None
    return {
        name: rate if name == "overdue_rate" else getattr(row, name)
        for name in LoanFigureRead.model_fields
    }
