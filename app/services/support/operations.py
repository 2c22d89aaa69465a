"""What a phone writes about visits and help while it is offline."""

from typing import Final
from uuid import UUID

from sqlmodel import Session

from app.models.kernel.access import Right
from app.models.support.support import SupportCreate, SupportNote
from app.models.support.visits import VisitCreate, VisitNote
from app.services.kernel.access import Actor, Expected
from app.services.kernel.device_clocks import Noted
from app.services.kernel.operation_kinds import OperationDone, OperationKind, without_parent
from app.services.support import support, visits


def _visit(
    session: Session,
    actor: Actor,
    _visit_id: UUID,
    body: VisitNote,
    _noted: Noted,
    _expected: Expected,
) -> OperationDone:
    visits.create(session, actor, body.household_id, without_parent(VisitCreate, body))
    return OperationDone()


def _propose(
    session: Session,
    actor: Actor,
    _support_id: UUID,
    body: SupportNote,
    _noted: Noted,
    _expected: Expected,
) -> OperationDone:
    given = without_parent(SupportCreate, body)
    _, _, warnings = support.propose(session, actor, body.household_id, given)
    return OperationDone(warnings)


KINDS: Final = (
    OperationKind(
        name="visit.add",
        operation="create_visit",
        right=Right.poverty_write,
        entity="household",
        values_of="household_visit",
        body=VisitNote,
        apply=_visit,
        subject=lambda _, body: body.household_id,
        states_fact=True,
    ),
    OperationKind(
        name="support.add",
        operation="create_support",
        right=Right.support_write,
        entity="household",
        values_of="support",
        body=SupportNote,
        apply=_propose,
        subject=lambda _, body: body.household_id,
        states_fact=True,
    ),
)
