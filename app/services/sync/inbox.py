"""What waits for an officer: fields that two have changed, and what was noted by who has lost the unit."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic_core import to_jsonable_python
from sqlmodel import Session, col

from app.clock import utc_now
from app.db import AnySelect
from app.errors import Problem, invalid, not_found
from app.models.base import table_of
from app.models.kernel.access import Right
from app.models.kernel.accounts import Account
from app.models.kernel.units import Unit
from app.models.sync.operations import (
    InboxAccept,
    InboxDecline,
    InboxQuery,
    OperationState,
    PushedOperation,
    WaitsFor,
)
from app.services.kernel import changes
from app.services.kernel.access import Actor, Db, Expected, visible
from app.services.kernel.actors import reach_of
from app.services.kernel.device_clocks import Noted
from app.services.kernel.keyset import Order, Pages, pages
from app.services.kernel.manifest import manifest
from app.services.kernel.offers import Work
from app.services.kernel.tracking import PATH
from app.services.sync import taking, verdicts
from app.services.sync.taking import OperationTask
from app.services.sync.waiting import item_of, origin_of
from app.services.units.units import find_filter

_ENTRY: AnySelect = (
    sa.select(
        *(getattr(PushedOperation, name) for name in PushedOperation.model_fields),
        col(Account.username),
        col(Unit.level).label("unit_level"),
        col(Unit.name).label("unit_name"),
        *(getattr(Unit, name) for name in PATH),
    )
    .join(Unit, col(Unit.id) == col(PushedOperation.unit_id))
    .join(Account, col(Account.id) == col(PushedOperation.account_id))
)
_WAITS = col(PushedOperation.waits_for) == WaitsFor.decision


def _decided_by(actor: Actor) -> sa.ColumnElement[bool]:
    """Of kinds whose right the actor holds over the unit."""
    by_right: dict[Right, list[str]] = {}
    for kind in manifest().operations.values():
        if kind.right is not None:
            by_right.setdefault(kind.right, []).append(kind.name)
    return sa.or_(
        sa.false(),
        *(
            sa.and_(col(PushedOperation.kind).in_(names), visible(Unit, actor, right))
            for right, names in by_right.items()
            if actor.reach(right)
        ),
    )


def _waiting(_: Db, actor: Actor) -> AnySelect:
    return (
        sa.select(
            col(PushedOperation.id),
            col(PushedOperation.received_at).label("since"),
            col(PushedOperation.unit_id),
        )
        .join(Unit, col(Unit.id) == col(PushedOperation.unit_id))
        .where(_WAITS, _decided_by(actor))
    )


WORK = Work(kind="sync_operation", right=None, waiting=_waiting, link="/v1/sync/inbox/{id}")


# -- reading


def list_entries(db: Db, actor: Actor, query: InboxQuery) -> Pages:
    """What waits for the actor's decision, the oldest first."""
    statement = _ENTRY.where(_WAITS, _decided_by(actor))
    if query.unit is not None:
        unit = find_filter(db, actor, query.unit, pointer="/unit")
        statement = statement.where(
            sa.or_(col(Unit.id) == unit.id, reach_of(db, unit).predicate(Unit))
        )
    return pages(statement, Order(col(PushedOperation.id)), partial(_shown, actor))


def get_entry(db: Db, actor: Actor, entry_id: UUID) -> dict[str, Any]:
    """One of them; 404 for what does not wait, or not for this actor."""
    statement = _ENTRY.where(col(PushedOperation.id) == entry_id, _WAITS, _decided_by(actor))
    rows = db.execute(statement).all()
    [item] = _shown(actor, db, rows) if rows else [None]
    if item is None:
        raise not_found()
    return item


def _shown(actor: Actor, db: Db, rows: Sequence[Any]) -> list[dict[str, Any] | None]:
    subjects = _subjects(db, rows)
    return [_item(actor, row, subjects.get((row.kind, row.subject_id))) for row in rows]


def _subjects(db: Db, rows: Sequence[Any]) -> Mapping[tuple[str, UUID], Any]:
    """The records that these are about, as they are."""
    found: dict[tuple[str, UUID], Any] = {}
    for kind in {row.kind for row in rows}:
        model, _ = manifest().by_entity[manifest().operations[kind].entity]
        ids = [row.subject_id for row in rows if row.kind == kind]
        columns = [getattr(model, name) for name in model.model_fields]
        for each in db.execute(sa.select(*columns).where(table_of(model).c.id.in_(ids))):
            found[kind, each.id] = each
    return found


def _item(actor: Actor, row: Any, subject: Any) -> dict[str, Any] | None:
    """As InboxItem; None where its record has gone to where the actor may not decide."""
    kind = manifest().operations[row.kind]
    if subject is None:
        return None
    place = subject if hasattr(subject, "branch_id") else row
    if kind.right is None or not actor.covers(kind.right, place):
        return None
    values_of = kind.values_of or kind.entity
    _, tracked = manifest().by_entity[values_of]
    sent: dict[str, Any] = json.loads(row.patch or "{}")
    columns = subject._mapping
    masked = [name for name in actor.hidden(tracked.masks, place) if name in sent]
    hidden = dict.fromkeys(masked)
    compared = [name for name in sent if values_of == kind.entity and name in columns]
    present = {name: to_jsonable_python(columns[name]) for name in compared}
    return {
        "id": row.id,
        "kind": row.kind,
        "state": row.state,
        "entity": kind.entity,
        "entity_id": row.subject_id,
        "values_of": values_of,
        "record_id": row.record_id,
        "fields": sorted(sent),
        "sent": sent | hidden,
        "present": present | {name: None for name in compared if name in masked},
        "masked": masked,
        "revision": columns["revision"],
        "unit": {"id": row.unit_id, "level": row.unit_level, "name": row.unit_name},
        "account_id": row.account_id,
        "username": row.username,
        "occurred_at": row.occurred_at,
        "received_at": row.received_at,
    }


# -- deciding


def accept(
    session: Session, actor: Actor, entry_id: UUID, body: InboxAccept, expected: Expected
) -> PushedOperation:
    """Write what was sent, or some of its fields, with the rights of who accepts. What was noted by who
    has lost the unit is written as hers."""
    row = _locked(session, actor, entry_id)
    if row.state in (OperationState.applied, OperationState.merged):
        return row  # the same decision again
    _ensure_waits(row)
    item = item_of(row)
    chosen = item.patch if body.fields is None else _chosen(item.patch, body.fields)
    item = item.model_copy(update={"patch": chosen})
    kind = manifest().operations[item.kind]
    is_hers = row.state is OperationState.held
    author = _author(actor, row) if is_hers else actor
    request = changes.origin_of(session)
    origin = replace(origin_of(row, author.account_id), session_id=author.session_id)
    changes.attribute(session, replace(origin, request_id=request.request_id))
    noted = Noted(item.occurred_at, row.sent_at, row.received_at)
    assert row.subject_id is not None  # noqa: S101  # what waits is about a record
    outcome = taking.do_for(
        session, author, OperationTask(row, item, kind, noted), row.subject_id, expected
    )
    if is_hers:
        # She reads the verdict, and nothing of the unit that she has lost.
        outcome = replace(outcome, warnings=(), revision=None)
    return _decide(session, actor, row, replace(outcome, fields=sorted(chosen)))


def _chosen(patch: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    unknown = [name for name in names if name not in patch]
    if unknown:
        raise invalid("not_in_list", "/fields", allowed=sorted(patch))
    return {name: patch[name] for name in names}


def _author(actor: Actor, row: PushedOperation) -> Actor:
    """Who wrote it, with the rights of who accepts it."""
    return replace(
        actor, account_id=row.account_id, session_id=row.session_id, device=None, member_id=None
    )


def decline(session: Session, actor: Actor, entry_id: UUID, body: InboxDecline) -> PushedOperation:
    """The present values stay."""
    row = _locked(session, actor, entry_id)
    if row.code == "operation_declined":
        return row
    _ensure_waits(row)
    problem = Problem("operation_declined", reason=body.reason)
    return _decide(session, actor, row, verdicts.refused(problem))


def _locked(session: Session, actor: Actor, entry_id: UUID) -> PushedOperation:
    """Of two who decide at once the second finds it decided."""
    row = session.get(PushedOperation, entry_id, with_for_update=True)
    seen = sa.select(col(PushedOperation.id)).join(
        Unit, col(Unit.id) == col(PushedOperation.unit_id)
    )
    statement = seen.where(col(PushedOperation.id) == entry_id, _decided_by(actor))
    if row is None or session.execute(statement).one_or_none() is None:
        raise not_found()
    if row.waits_for is WaitsFor.decision:
        get_entry(session, actor, entry_id)
    return row


def _ensure_waits(row: PushedOperation) -> None:
    if row.waits_for is not WaitsFor.decision:
        raise Problem("operation_decided")


def _decide(
    session: Session, actor: Actor, row: PushedOperation, outcome: verdicts.Outcome
) -> PushedOperation:
    verdicts.keep(row, replace(outcome, unit_id=row.unit_id))
    row.decided_by, row.decided_at = actor.account_id, utc_now()
    session.flush()
    return row
