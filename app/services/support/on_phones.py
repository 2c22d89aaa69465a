"""Visits and support as phones keep them: of the open households of the phone, wherever these stood
when they were visited or given."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlmodel import col

from app.models.kernel.access import Right
from app.models.kernel.units import Unit
from app.models.support.loans import LoanFigure, LoanFigureRead
from app.models.support.support import Support, SupportRead
from app.models.support.visits import HouseholdVisit, VisitRead
from app.services.households.on_phones import of_household
from app.services.kernel.access import Actor
from app.services.kernel.offers import DAYS_ON_A_PHONE, SyncKind
from app.services.kernel.reach import within
from app.services.support import loans, programmes, support, visits


def _visits(db: Connection, _: Actor, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    return visits.of_ids(db, ids)


def _support(db: Connection, actor: Actor, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    return support.of_ids(db, actor, ids)


def _loans(db: Connection, _: Actor, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    return loans.of_ids(db, ids)


VISITS = SyncKind(
    name="visit",
    entity="household_visit",
    right=Right.poverty_read,
    schema=VisitRead,
    model=HouseholdVisit,
    rows=_visits,
    day=col(HouseholdVisit.visited_on),
    days=DAYS_ON_A_PHONE,
    **of_household(HouseholdVisit),
)
SUPPORT = SyncKind(
    name="support",
    entity="support",
    right=Right.support_read,
    schema=SupportRead,
    model=Support,
    rows=_support,
    # Who may see a sponsored child is asked of the unit in which the support was proposed.
    shows=lambda reaches: within(Support, reaches),
    masked_by_row=True,
    day=sa.func.coalesce(col(Support.ends_on), col(Support.given_on)),
    days=DAYS_ON_A_PHONE,
    **of_household(Support),
)
LOANS = SyncKind(
    name="loan_figure",
    entity="loan_figure",
    right=Right.support_read,
    schema=LoanFigureRead,
    model=LoanFigure,
    place=Unit,
    joined=lambda rows: rows.join(Unit, col(Unit.id) == col(LoanFigure.unit_id)),
    rows=_loans,
    # The phone divides itself.
    derived=frozenset({"overdue_rate"}),
    day=col(LoanFigure.as_of),
    days=DAYS_ON_A_PHONE,
)
SYNC = (programmes.SYNC, VISITS, SUPPORT, LOANS)
