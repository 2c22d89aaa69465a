"""What a phone writes about members while it is offline."""

from typing import Final

from app.models.kernel.access import Right
from app.models.members.corrections import CorrectionCreate
from app.models.members.members import MemberUpdate
from app.services.kernel.operation_kinds import OperationDone, OperationKind, SentOperation
from app.services.members import checks, corrections, merged, record


def _update(sent: SentOperation[MemberUpdate]) -> OperationDone:
    _, doubts = record.update(sent.session, sent.actor, sent.record_id, sent.body, sent.expected)
    return OperationDone(checks.as_errors(doubts))


def _ask(sent: SentOperation[CorrectionCreate]) -> OperationDone:
    corrections.create(sent.session, sent.actor, sent.body)
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
