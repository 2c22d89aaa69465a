"""Who is notified of a reorganisation that was done: the officers and heads of the units concerned."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.db import chunks
from app.models.kernel.access import Grant, Right
from app.models.kernel.units import Unit
from app.models.reorganisations.reorganisations import (
    Reorganisation,
    ReorganisationState,
    ReorganisedUnit,
)
from app.services.kernel.access import Actor, Db
from app.services.kernel.notice_kinds import NoticeKind
from app.services.kernel.tracking import PATH
from app.services.notices import inbox
from app.services.reorganisations.decisions import to_decide
from app.services.units.tree import DAY, below
from app.services.units.units import valid_on


def tell(
    session: Session, row: Reorganisation, unit_ids: set[int], but: UUID | None = None
) -> None:
    """Put it into the inboxes of those who held a right over one of these units, the one directly
    above or one below, on the day before or on the day; `but` has just done it."""
    since = row.effective_on
    concerned = sorted(below(session, unit_ids, since - DAY) | _above(session, unit_ids))
    accounts: set[UUID] = set()
    for chunk in chunks(concerned):
        held = sa.or_(valid_on(Grant, since - DAY), valid_on(Grant, since))
        over = sa.select(col(Grant.account_id)).where(col(Grant.unit_id).in_(chunk), held)
        accounts |= set(session.execute(over.distinct()).scalars())
    inbox.deliver(session, REORGANISED.name, row.id, sorted(accounts - {but}))


def _above(session: Session, unit_ids: set[int]) -> set[int]:
    """Where an officer decides what is left to decide in these units."""
    found: set[int] = set()
    for chunk in chunks(sorted(unit_ids)):
        rows = session.execute(sa.select(col(Unit.parent_id)).where(col(Unit.id).in_(chunk)))
        found |= {each for each in rows.scalars() if each is not None}
    return found


_UNITS = (
    sa.select(
        col(ReorganisedUnit.reorganisation_id),
        col(Unit.id),
        col(Unit.level),
        col(Unit.name),
        *(getattr(Unit, name) for name in PATH),
    )
    .join(ReorganisedUnit, col(ReorganisedUnit.unit_id) == col(Unit.id))
    .join(Reorganisation, col(Reorganisation.id) == col(ReorganisedUnit.reorganisation_id))
    .where(col(Reorganisation.state) == ReorganisationState.applied, col(Unit.closed_on).is_(None))
    .order_by(col(Unit.id))
)


def _source(db: Db, actor: Actor, ids: Sequence[UUID]) -> Mapping[UUID, Mapping[str, Any]]:
    """The first unit of each that the reader sees, as it stands now."""
    found: dict[UUID, Mapping[str, Any]] = {}
    decisions = to_decide(db, actor, ids)
    for row in db.execute(_UNITS.where(col(ReorganisedUnit.reorganisation_id).in_(ids))):
        if actor.covers(Right.units_read, row):
            unit = {"id": row.id, "level": row.level, "name": row.name}
            says = decisions.get(row.reorganisation_id)
            found.setdefault(
                row.reorganisation_id, {"unit": unit} | ({"says": says} if says else {})
            )
    return found


REORGANISED = NoticeKind(
    "unit_reorganised",
    "Đơn vị trong phạm vi của chị đã được sắp xếp lại",
    "A unit in your scope was reorganised",
    "/v1/units/{unit[id]}",
    _source,
)
