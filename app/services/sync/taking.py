"""One operation: what becomes of it, by the rules of the API's own operation."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from sqlmodel import Session

from app.clock import local_day
from app.errors import FieldError, Problem, field_error, invalid
from app.models.base import Input
from app.models.sync.operations import (
    OperationItem,
    OperationState,
    PushedOperation,
    WaitsFor,
)
from app.services.kernel.access import Actor, Expected
from app.services.kernel.device_clocks import Noted
from app.services.kernel.manifest import manifest
from app.services.kernel.named import ensure_seen
from app.services.kernel.operation_kinds import OperationDone, OperationKind, SentOperation
from app.services.sync import former, merging, predecessors, rewriting
from app.services.sync.merging import FieldComparison, SeenRecord, Subject
from app.services.sync.verdicts import Outcome, refused

# How often it is compared anew, where others change the record at the same moment.
_ATTEMPTS = 3
_CHANGED = "stale_revision"
_OF_OPERATION = frozenset({"id", "occurred_at"})
# The revision of a record that is not there.
_NONE_THERE: Expected = frozenset({0})


@dataclass(frozen=True, slots=True)
class OperationTask:
    """An operation, whoever does it."""

    row: PushedOperation
    item: OperationItem
    kind: OperationKind
    noted: Noted


def outcome_of(
    session: Session, actor: Actor, row: PushedOperation, item: OperationItem
) -> Outcome:
    """Do an operation, or say why it is not done; of what is refused nothing is left."""
    noted = Noted(item.occurred_at, row.sent_at, row.received_at)
    task = OperationTask(row, item, manifest().operations[item.kind], noted)
    try:
        if task.kind.right is None and row.rescued_by is not None:
            raise Problem("operation_of_herself")
        body = body_of(task, item.patch)
        missing = predecessors.first_missing(session, row, item)
        if missing is not None:
            return _waiting(task, missing)
        done = _do(session, actor, task, body)
    except Problem as problem:
        return _not_done(task, problem)
    return replace(done, warnings=[*_of_clock(noted), *done.warnings])


def _of_clock(noted: Noted) -> Iterator[FieldError]:
    if noted.is_wrong:
        yield FieldError("body", "/occurred_at", "clock_put_right")


def _not_done(task: OperationTask, problem: Problem) -> Outcome:
    """What passes is tried again by itself; all else is for good."""
    if not _passes(problem):
        return refused(problem)
    return Outcome(
        state=OperationState.held,
        problem=problem,
        waits_for=WaitsFor.retry,
        patch=task.item.patch,
    )


def _passes(problem: Problem) -> bool:
    return "retry_after" in problem.params or problem.code == _CHANGED


def body_of(task: OperationTask, patch: Mapping[str, Any]) -> Input:
    """The body of the API's operation. The operation has its own id and time."""
    kind, item = task.kind, task.item
    own = _OF_OPERATION & kind.body.model_fields.keys()
    given = {"id": str(item.id), "occurred_at": item.occurred_at.isoformat()}
    said = {name: given[name] for name in own}
    if kind.since is not None and patch.get(kind.since) is None:
        said[kind.since] = local_day(task.noted.happened_at).isoformat()
    errors = [FieldError("body", f"/patch/{name}", "unknown_field") for name in own & patch.keys()]
    try:
        body = kind.body.model_validate({**patch, **said})
    except ValidationError as error:
        errors += [
            field_error({**each, "loc": ("body", "patch", *each["loc"])}, kind.body.elsewhere)
            for each in error.errors(include_url=False)
        ]
        raise Problem("validation_failed", errors=errors, count=len(errors)) from error
    if errors:
        raise Problem("validation_failed", errors=errors, count=len(errors))
    return body


def _waiting(task: OperationTask, waits_on: UUID) -> Outcome:
    return Outcome(
        state=OperationState.held,
        problem=Problem("predecessor_awaited"),
        waits_for=WaitsFor.predecessor,
        waits_on=waits_on,
        patch=task.item.patch,
    )


# -- doing it


def _do(session: Session, actor: Actor, task: OperationTask, body: Input) -> Outcome:
    kind = task.kind
    sent_id = kind.subject(task.item.id, body)
    kept_id = None if kind.kept is None else kind.kept(session, sent_id)
    act = _Act(task, body, sent_id, kept_id or sent_id)
    outcome = _merge(session, actor, act) if kind.merges else _apply(session, actor, act, None)
    if kept_id is None or outcome.state is OperationState.held:
        return outcome
    warning = FieldError("body", "/id", "record_merged")
    return replace(outcome, merged_into=kept_id, warnings=[warning, *outcome.warnings])


@dataclass(frozen=True, slots=True)
class _Act:
    """An operation with its body; the record it names, and the one it is about."""

    task: OperationTask
    body: Input
    sent_id: UUID
    subject_id: UUID

    @property
    def kind(self) -> OperationKind:
        return self.task.kind

    @property
    def record_id(self) -> UUID:
        """What the service is called with: the record itself, what it is found by, or what is made at
        it."""
        is_record = self.kind.found is None and self.sent_id == self.task.item.id
        return self.subject_id if is_record else self.task.item.id

    @property
    def seen_id(self) -> UUID:
        """The record as the change log knew it when the user saw it."""
        return self.sent_id if self.kind.found is None else self.subject_id

    @property
    def written(self) -> dict[str, Any]:
        """The values that were written."""
        return self.body.model_dump()

    def found(self, session: Session, actor: Actor) -> "_Act":
        """With the record that it is found to be about, if there is one by now."""
        if self.kind.found is None:
            return self
        found = self.kind.found(session, actor, self.task.item.id, self.body)
        return replace(self, subject_id=found or self.task.item.id)

    def only(self, names: Iterable[str]) -> "_Act":
        patch = {name: self.task.item.patch[name] for name in names}
        return replace(self, body=body_of(self.task, patch))


def _merge(session: Session, actor: Actor, act: _Act) -> Outcome:
    """Change what others have not changed since, and keep the rest for an officer."""
    for attempt in range(_ATTEMPTS):
        try:
            return _merged(session, actor, act.found(session, actor))
        except Problem as problem:
            if problem.code != _CHANGED or attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("the last attempt returns or raises")


def _merged(session: Session, actor: Actor, act: _Act) -> Outcome:
    seen = merging.known(session, act.task.row, act.seen_id)
    subject = merging.find(session, act.kind, act.subject_id)
    if act.kind.found is not None:
        if subject is None:
            return _apply(session, actor, act, _NONE_THERE)
        seen = seen or SeenRecord.of_nothing(act.subject_id)
    if subject is not None and not _may_write(session, actor, act, subject):
        subject = None  # as one that is not there
    if seen is None and subject is None:
        return _waiting(act.task, act.task.item.id)
    if seen is None:
        raise invalid("required", "/base_rev")
    if subject is None or _is_hidden(actor, subject, act.written):
        return _apply(session, actor, act, None)
    earlier = rewriting.in_conflict(session, act.task.row, subject)
    found = merging.compare(session, actor, seen, subject, act.written)
    outcome = _compared(session, actor, act, subject, found)
    return rewriting.replaced(earlier, act.task.item.patch, outcome)


def _may_write(session: Session, actor: Actor, act: _Act, subject: Subject) -> bool:
    """By the right over its unit, or as who may write it for another reason: a second host."""
    right = act.kind.right
    if right is not None and actor.covers(right, subject):
        return True
    return _would_do(session, actor, act)


def _is_hidden(actor: Actor, subject: Subject, mine: Mapping[str, Any]) -> bool:
    """To compare a field would tell its value."""
    return not mine.keys().isdisjoint(actor.hidden(subject.tracked.masks, subject))


def _compared(
    session: Session, actor: Actor, act: _Act, subject: Subject, found: FieldComparison
) -> Outcome:
    expected = frozenset({subject.revision})
    if not found.conflicts:
        done = _attempt(session, actor, act, expected)
        state = OperationState.merged if found.others else OperationState.applied
        return replace(_done(session, actor, act, done, state), others=found.others)
    with _undone(session):
        _attempt(session, actor, act, expected)  # what may not be done at all is no conflict
    if act.kind.whole:
        return replace(refused(Problem("operation_superseded"), subject.id), others=found.others)
    waiting, done = _apart(session, actor, act, found.conflicts, expected)
    return replace(
        _done(session, actor, act, done, OperationState.conflict),
        problem=Problem("operation_conflict"),
        others=found.others,
        fields=waiting,
        waits_for=WaitsFor.decision,
        unit_id=subject.unit_id,
        patch={name: act.task.item.patch[name] for name in waiting},
    )


def _apart(
    session: Session, actor: Actor, act: _Act, conflicts: Sequence[str], expected: Expected
) -> tuple[list[str], OperationDone]:
    """Change the fields that are in no conflict; all wait where those may not be changed alone."""
    rest = sorted(act.task.item.patch.keys() - set(conflicts))
    if not rest:
        return sorted(conflicts), OperationDone()
    try:
        return sorted(conflicts), _attempt(session, actor, act.only(rest), expected)
    except Problem as problem:
        if _passes(problem):
            raise
        return sorted(act.task.item.patch), OperationDone()


def _apply(session: Session, actor: Actor, act: _Act, expected: Expected) -> Outcome:
    try:
        with session.begin_nested():
            done = _attempt(session, actor, act, expected)
            if done.waits:
                raise _OutOfSight
    except (Problem, _OutOfSight) as refusal:
        unit_id = _decided_in(session, actor, act)
        if unit_id is not None:
            return _for_others(act, unit_id)
        if isinstance(refusal, Problem):
            raise
        done = _attempt(session, actor, act, expected)
    return _done(session, actor, act, done, OperationState.applied)


class _OutOfSight(Exception):
    """What it is about is not known, or out of the actor's sight."""


def _decided_in(session: Session, actor: Actor, act: _Act) -> int | None:
    """The unit that decides, where the actor could have done it before."""
    written = {*act.task.item.patch}
    would_do = partial(_would_do, session, act=act)
    return former.waits_in(session, actor, act.kind, act.subject_id, written, would_do)


def _would_do(session: Session, actor: Actor, act: _Act) -> bool:
    """Whether this actor could do it; nothing of it is left. What stands in the way and passes decides
    nothing."""
    try:
        with _undone(session):
            return not _attempt(session, actor, act, None).waits
    except Problem as problem:
        if _passes(problem):
            raise
        return False


def _for_others(act: _Act, unit_id: int) -> Outcome:
    return Outcome(
        state=OperationState.held,
        subject_id=act.subject_id,
        problem=Problem("decision_awaited"),
        fields=sorted(act.task.item.patch),
        waits_for=WaitsFor.decision,
        unit_id=unit_id,
        patch=act.task.item.patch,
    )


def do_for(
    session: Session, actor: Actor, task: OperationTask, subject_id: UUID, expected: Expected
) -> Outcome:
    """Do what waited for a decision, now that it has been accepted by this actor."""
    body = body_of(task, task.item.patch)
    act = _Act(task, body, task.kind.subject(task.item.id, body), subject_id)
    done = _attempt(session, actor, act, expected)
    return _done(session, actor, act, done, OperationState.applied)


def _attempt(session: Session, actor: Actor, act: _Act, expected: Expected) -> OperationDone:
    """As the endpoint of the API does it; refused, nothing is left of it."""
    task = act.task
    try:
        with session.begin_nested():
            ensure_seen(session, actor, act.body, manifest().named)
            sent = SentOperation(session, actor, act.record_id, act.body, task.noted, expected)
            done = task.kind.apply(sent)
    except Problem as problem:
        problem.errors = tuple(map(_in_patch, problem.errors))
        raise
    return replace(done, warnings=[*map(_in_patch, done.warnings)])


def _in_patch(error: FieldError) -> FieldError:
    return replace(error, pointer=f"/patch{error.pointer}")


@contextmanager
def _undone(session: Session) -> Iterator[None]:
    """What is written in it is taken back."""
    tried = session.begin_nested()
    try:
        yield
    finally:
        tried.rollback()


def _done(
    session: Session, actor: Actor, act: _Act, done: OperationDone, state: OperationState
) -> Outcome:
    act = act.found(session, actor)
    made = merging.find(session, act.kind, act.subject_id)
    of_record = act.kind.found is not None or act.record_id == act.subject_id
    return Outcome(
        state=state,
        subject_id=act.subject_id,
        revision=made.revision if made is not None and of_record else None,
        warnings=done.warnings,
    )
