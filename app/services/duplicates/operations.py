"""What a phone writes about new members while it is offline."""

from typing import Final
from uuid import UUID

from sqlmodel import Session

from app.models.kernel.access import Right
from app.models.members.members import MemberCreate
from app.services.duplicates import pairs
from app.services.kernel.access import Actor, Expected
from app.services.kernel.device_clocks import Noted
from app.services.kernel.operation_kinds import OperationDone, OperationKind
from app.services.members import checks, record


def _create(
    session: Session,
    actor: Actor,
    _member_id: UUID,
    body: MemberCreate,
    _noted: Noted,
    _expected: Expected,
) -> OperationDone:
    member, is_new, found, compared = pairs.admit(session, actor, body, reject=False)
    _, doubts = record.read(session, actor, member, is_new=is_new)
    doubts = [*checks.name_doubts(body.typed_name), *doubts]
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
