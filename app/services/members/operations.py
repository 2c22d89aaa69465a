"""What a phone writes about members while it is offline."""

from typing import Final
from uuid import UUID

from sqlmodel import Session

from app.models.kernel.access import Right
from app.models.members.members import MemberUpdate
from app.services.kernel.access import Actor, Expected
from app.services.kernel.device_clocks import Noted
from app.services.kernel.operation_kinds import OperationDone, OperationKind
from app.services.members import checks, merged, record


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
)
