"""What a phone writes about attendance while it is offline."""

from dataclasses import replace
from typing import Final

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
from app.services.kernel.operation_kinds import (
    OperationDone,
    OperationKind,
    SentOperation,
    without_parent,
)


def _add(sent: SentOperation[CaptureNote]) -> OperationDone:
    item = without_parent(CaptureItem, sent.body)
    alone = CaptureBatch.model_construct(items=[SentItem(None, item)], sent_at=sent.noted.sent_at)
    [answer] = batch.store(sent.session, sent.actor, sent.body.session_id, alone)
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
