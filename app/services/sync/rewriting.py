"""What a phone has written again while an officer has yet to decide on it: one record, one entry."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from sqlmodel import Session, col, select

from app.errors import Problem
from app.models.sync.operations import OperationState, PushedOperation, WaitsFor
from app.services.sync import verdicts
from app.services.sync.merging import Subject
from app.services.sync.verdicts import Outcome


def in_conflict(
    session: Session, row: PushedOperation, subject: Subject
) -> Sequence[PushedOperation]:
    """What the same phone wrote of the record before and waits for a decision, locked: before the
    record is, as by the officer who decides."""
    return session.exec(
        select(PushedOperation)
        .where(
            col(PushedOperation.account_id) == row.account_id,
            col(PushedOperation.phone_id) == row.phone_id,
            col(PushedOperation.subject_id) == subject.id,
            col(PushedOperation.kind) == row.kind,
            col(PushedOperation.state) == OperationState.conflict,
            col(PushedOperation.waits_for) == WaitsFor.decision,
            col(PushedOperation.id) != row.id,
        )
        .order_by(col(PushedOperation.id))
        .with_for_update()
    ).all()


def replaced(
    earlier: Sequence[PushedOperation], written: Collection[str], outcome: Outcome
) -> Outcome:
    """The outcome of what was written last: it takes the place of what waits of the same fields, and
    takes over the other fields where it waits itself."""
    waits = outcome.state is OperationState.conflict
    taken_over: dict[str, object] = {}
    for row in earlier:
        patch = json.loads(row.patch or "{}")
        rest = {name: value for name, value in patch.items() if name not in written}
        if rest and not waits:
            _keep_waiting(row, rest)
            continue
        taken_over |= rest
        ended = verdicts.refused(Problem("operation_rewritten"))
        verdicts.keep(row, replace(ended, unit_id=row.unit_id))
    if not taken_over:
        return outcome
    patch = taken_over | {**(outcome.patch or {})}
    return replace(outcome, patch=patch, fields=sorted(patch))


def _keep_waiting(row: PushedOperation, rest: Mapping[str, object]) -> None:
    """Of an operation that waits only some fields still do; the rest of its verdict stays."""
    row.patch = json.dumps(rest)
    row.told = json.dumps(json.loads(row.told or "{}") | {"fields": sorted(rest)})
