"""What a phone writes about attendance while it is offline."""

from dataclasses import replace
from typing import Final
from uuid import UUID

from sqlmodel import Session

from app.errors import FieldError, Problem
from app.models.attendance.attendance import (
    CaptureBatch,
    CaptureItem,
    CaptureNote,
    Verdict,
)
from app.models.kernel.access import Right
from app.models.kernel.items import SentItem
from app.services.attendance import batch
from app.services.kernel.access import Actor, Expected
from app.services.kernel.device_clocks import Noted
from app.services.kernel.operation_kinds import OperationDone, OperationKind, without_parent


def _add(
    session: Session,
    actor: Actor,
    _capture_id: UUID,
    body: CaptureNote,
    noted: Noted,
    _expected: Expected,
) -> OperationDone:
    item = without_parent(CaptureItem, body)
    sent = CaptureBatch.model_construct(items=[SentItem(None, item)], sent_at=noted.sent_at)
    [answer] = batch.store(session, actor, body.session_id, sent)
    if answer.problem is not None:
        raise _alone(answer.problem)
    if answer.verdict is Verdict.held:
        return OperationDone(
            [FieldError("body", "/session_id", "capture_awaits_session")], waits=True
        )
    return OperationDone(
        [FieldError("body", "", "capture_flagged", {"flag": flag}) for flag in answer.flags]
    )


def _alone(problem: Problem) -> Problem:
    """Its errors point into the item itself, not into a batch."""
    problem.errors = tuple(
        replace(each, pointer=each.pointer.removeprefix("/items/0")) for each in problem.errors
    )
    return problem


KINDS: Final = (
    OperationKind(
        name="capture.add",
        operation="capture",
        right=Right.attendance_write,
        entity="event_session",
        values_of="attendance",
        body=CaptureNote,
        apply=_add,
        subject=lambda _, body: body.session_id,
        states_fact=True,
    ),
)
