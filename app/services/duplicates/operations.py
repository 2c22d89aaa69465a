"""What a phone writes about new members while it is offline."""

from typing import Final

from app.models.kernel.access import Right
from app.models.members.members import MemberCreate
from app.services.duplicates import pairs
from app.services.kernel.operation_kinds import OperationDone, OperationKind, SentOperation
from app.services.members import checks, record


def _create(sent: SentOperation[MemberCreate]) -> OperationDone:
    member, is_new, found, compared = pairs.admit(sent.session, sent.actor, sent.body, reject=False)
    _, doubts = record.read(sent.session, sent.actor, member, is_new=is_new)
    doubts = [*checks.name_doubts(sent.body.typed_name), *doubts]
    return OperationDone(checks.as_errors([*doubts, *pairs.doubts(found, compared=compared)]))


KINDS: Final = (
    OperationKind(
        name="member.create",
        operation="create_member",
        right=Right.members_write,
        entity="member",
        body=MemberCreate,
        apply=_create,
    ),
)
