"""What a phone writes about members while it is offline."""

from typing import Final
from uuid import UUID

from sqlmodel import Session

from app.models.kernel.access import Right
from app.models.members.corrections import CorrectionCreate
from app.models.members.members import MemberUpdate
from app.services.kernel.access import Actor, Expected
from app.services.kernel.device_clocks import Noted
from app.services.kernel.operation_kinds import OperationDone, OperationKind
from app.services.members import checks, corrections, merged, record


def _update(
    session: Session,
    actor: Actor,
    member_id: UUID,
    body: MemberUpdate,
    _noted: Noted,
    expected: Expected,
) -> OperationDone:
    _, doubts = record.update(session, actor, member_id, body, expected)
    return OperationDone(checks.as_errors(doubts))


def _ask(
    session: Session,
    actor: Actor,
    _correction_id: UUID,
    body: CorrectionCreate,
    _noted: Noted,
    _expected: Expected,
) -> OperationDone:
    corrections.create(session, actor, body)
    return OperationDone()


KINDS: Final = (
    OperationKind(
        name="member.update",
        operation="update_member",
        right=Right.members_write,
        entity="member",
        body=MemberUpdate,
        apply=_update,
        merges=True,
        kept=merged.kept_of,
    ),
    OperationKind(
        name="correction.ask",
        operation="ask_for_correction",
        right=None,
        entity="correction_request",
        body=CorrectionCreate,
        apply=_ask,
    ),
)
