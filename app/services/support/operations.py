"""What a phone writes about visits and help while it is offline."""

from typing import Final

from app.models.kernel.access import Right
from app.models.support.support import SupportCreate, SupportNote
from app.models.support.visits import VisitCreate, VisitNote
from app.services.kernel.operation_kinds import (
    OperationDone,
    OperationKind,
    SentOperation,
    without_parent,
)
from app.services.support import support, visits


def _visit(sent: SentOperation[VisitNote]) -> OperationDone:
    visits.create(
        sent.session, sent.actor, sent.body.household_id, without_parent(VisitCreate, sent.body)
    )
    return OperationDone()


def _propose(sent: SentOperation[SupportNote]) -> OperationDone:
    given = without_parent(SupportCreate, sent.body)
    _, _, warnings = support.propose(sent.session, sent.actor, sent.body.household_id, given)
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
