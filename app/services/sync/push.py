"""Operations that a phone sends: each is done once, in a transaction of its own, and answered.

What is refused is kept with its reason, so that a phone's queue goes on. The same operation again gets
the same answer, on whichever phone of the account, for as long as operations are kept.
"""

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlmodel import Session, col, select

from app import logs
from app.clock import utc_now
from app.db import Database, chunks, insert_new, vault_of
from app.errors import FieldError, Problem, not_found, unreadable
from app.models.base import new_id
from app.models.kernel.changes import ChangeSource
from app.models.kernel.items import SentItem
from app.models.sync.operations import (
    MOST_OPERATIONS,
    OperationBatch,
    OperationItem,
    OperationQuery,
    OperationState,
    PushedOperation,
)
from app.problem_texts import Language
from app.security.sealing import Sealer
from app.services.identity import devices
from app.services.kernel import changes, sequencer
from app.services.kernel.access import Actor, Db
from app.services.kernel.changes import Origin
from app.services.kernel.following import restored_since
from app.services.kernel.keyset import Order, Pages, each, pages
from app.services.kernel.manifest import manifest
from app.services.sync import cursors, merging, taking, verdicts, waiting
from app.services.sync.verdicts import Outcome
from app.vault import Vault

_PURPOSE = "operation"
_NAME = re.compile(r"[a-z_.]{1,40}")


@dataclass(frozen=True, slots=True)
class _Sent:
    """An operation as it was sent. `text` is all of it; `op_id` null where there is none to be read."""

    at: int
    sent: SentItem[OperationItem]
    op_id: UUID | None
    text: str

    @classmethod
    def of(cls, at: int, sent: SentItem[OperationItem]) -> "_Sent":
        text = json.dumps(sent.raw, sort_keys=True)
        return cls(at, sent, sent.id_in("op_id"), text)

    @property
    def why_unreadable(self) -> Problem:
        return unreadable(self.sent.errors)


@dataclass(frozen=True, slots=True)
class _Sender:
    """Who sends, by which clock, and the account whose operations they are. `restored_at`: a restore
    that the phone had not heard of."""

    actor: Actor
    origin: Origin
    batch: OperationBatch
    account_id: UUID
    restored_at: datetime | None

    @property
    def phone_id(self) -> UUID:
        return self.batch.for_device or self.actor.device_id or self.actor.session_id

    @property
    def rescued_by(self) -> UUID | None:
        return None if self.account_id == self.actor.account_id else self.actor.account_id


def take(
    database: Database,
    sealer: Sealer,
    actor: Actor,
    origin: Origin,
    batch: OperationBatch,
    language: Language,
) -> list[dict[str, Any]]:
    """A verdict for each operation (as OperationRead), in their order."""
    if len(batch.items) > MOST_OPERATIONS:
        raise Problem("batch_too_large", count=len(batch.items), limit=MOST_OPERATIONS)
    given = [_Sent.of(at, sent) for at, sent in enumerate(batch.sent)]
    account_id = _account_of(database, actor, batch)
    restored_at = _restored_at(database, sealer, actor, account_id, batch)
    sender = _Sender(actor, origin, batch, account_id, restored_at)
    _ensure_not_reused(database, sender.account_id, given)
    sequencer.settle(database)  # where a record has stood is read from the log
    again = [each.op_id is not None and not _take(database, sender, each) for each in given]
    op_ids = {each.op_id for each in given if each.op_id is not None}
    rows = _kept(database, sender.account_id, op_ids)
    answers = []
    for one, came_before in zip(given, again, strict=True):
        if one.op_id is None:
            answers.append(verdicts.unkept(None, one.why_unreadable, language))
        elif not _is_same(database.vault, rows[one.op_id], one):
            # Another phone was faster, with another body under this id.
            answers.append(verdicts.unkept(one.op_id, Problem("operation_reused"), language))
        else:
            answers.append(
                verdicts.read(
                    rows[one.op_id], language, reader_id=actor.account_id, again=came_before
                )
            )
    return answers


def _account_of(database: Database, actor: Actor, batch: OperationBatch) -> UUID:
    """The account whose operations these are."""
    if batch.for_device is None:
        return actor.account_id
    kinds = manifest().operations
    asked = (kinds[each.item.kind].right for each in batch.sent if each.item is not None)
    rights = {right for right in asked if right is not None}
    with database.reading() as db:
        return devices.owner_to_rescue(db, actor, batch.for_device, rights)


def _restored_at(
    database: Database, sealer: Sealer, actor: Actor, account_id: UUID, batch: OperationBatch
) -> datetime | None:
    """A restore since the phone has pulled: the revisions that it names may be others by now."""
    if actor.epoch is None:
        return None
    epoch = cursors.epoch_of(batch.cursor, account_id, sealer)
    with database.reading() as db:
        return restored_since(db, epoch)


def _ensure_not_reused(database: Database, account_id: UUID, given: Sequence[_Sent]) -> None:
    """422 that points at each operation whose id was used for another one; nothing is done then."""
    vault = database.vault
    kept = _kept(database, account_id, {each.op_id for each in given if each.op_id is not None})
    texts: dict[UUID, str] = {}
    wrong = []
    for one in given:
        if one.op_id is None:
            continue
        row = kept.get(one.op_id)
        is_same = row is None or _is_same(vault, row, one)
        if not is_same or texts.setdefault(one.op_id, one.text) != one.text:
            wrong.append(FieldError("body", f"/items/{one.at}/op_id", "operation_reused"))
    if wrong:
        raise Problem("operation_reused", errors=wrong)


def _is_same(vault: Vault, row: Any, one: _Sent) -> bool:
    return row.digest in vault.digests(one.text, _PURPOSE)


def _kept(database: Database, account_id: UUID, op_ids: Collection[UUID]) -> Mapping[UUID, Any]:
    """The operations of an account that are known already."""
    found: dict[UUID, Any] = {}
    with database.reading() as db:
        for part in chunks(sorted(op_ids)):
            rows = db.execute(_ROW.where(_of(account_id), col(PushedOperation.op_id).in_(part)))
            found |= {row.op_id: row for row in rows}
    return found


_ROW = sa.select(*(getattr(PushedOperation, name) for name in PushedOperation.model_fields))


def _of(account_id: UUID) -> sa.ColumnElement[bool]:
    return col(PushedOperation.account_id) == account_id


def _take(database: Database, sender: _Sender, one: _Sent) -> bool:
    """Do an operation, and what has waited for it; False where it came before."""
    try:
        row = _keep(database, sender, one, _outcome_of)
    except (OperationalError, PoolTimeout):
        raise  # the database is away: the phone sends the batch again
    except Exception as error:
        # Whatever it is, the phone's queue shall not stop at it.
        if one.sent.item is None:
            raise
        logs.exception("operation_failed", error, op_id=str(one.op_id), kind=one.sent.item.kind)
        row = _keep(database, sender, one, _failed)
    if row is None:
        return False
    waiting.go_on(database, sender.account_id, waiting.came_with(row))
    return True


def _keep(
    database: Database,
    sender: _Sender,
    one: _Sent,
    decide: Callable[[Session, _Sender, _Sent, PushedOperation], Outcome],
) -> PushedOperation | None:
    """Keep an operation with what becomes of it, in one transaction; None where it came before."""
    with database.writing() as session:
        new = _new(session, sender, one)
        if not insert_new(session, PushedOperation, [new], returning="id"):
            return None
        row = session.exec(
            select(PushedOperation).where(
                _of(sender.account_id), col(PushedOperation.op_id) == one.op_id
            )
        ).one()
        origin = replace(sender.origin, source=ChangeSource.sync, source_ref=str(one.op_id))
        changes.attribute(session, origin)
        verdicts.keep(row, decide(session, sender, one, row))
        session.flush()
        return row


def _outcome_of(session: Session, sender: _Sender, one: _Sent, row: PushedOperation) -> Outcome:
    if one.sent.item is None:
        return verdicts.refused(one.why_unreadable)
    return taking.outcome_of(session, sender.actor, row, one.sent.item)


def _failed(_: Session, __: _Sender, one: _Sent, ___: PushedOperation) -> Outcome:
    return verdicts.failed({} if one.sent.item is None else one.sent.item.patch)


def _new(session: Session, sender: _Sender, one: _Sent) -> dict[str, Any]:
    item = one.sent.item
    raw = one.sent.raw
    record_id = one.sent.id_in("id") if item is None else item.id
    kind = _kind(raw.get("kind")) if item is None else item.kind
    return {
        "id": new_id(),
        "account_id": sender.account_id,
        "rescued_by": sender.rescued_by,
        "op_id": one.op_id,
        "session_id": sender.actor.session_id,
        "phone_id": sender.phone_id,
        "kind": kind,
        "record_id": record_id,
        "subject_id": record_id,
        "base_rev": item and merging.revision_seen(session, item, sender.restored_at),
        "depends_on": [str(each) for each in item.depends_on] if item else [],
        "digest": vault_of(session).digest(one.text, _PURPOSE),
        "occurred_at": item and item.occurred_at,
        "sent_at": sender.batch.sent_at,
        "received_at": utc_now(),
        "state": OperationState.refused,
    }


def _kind(value: object) -> str | None:
    """What may be the name of a kind; the rest may be more than a database takes."""
    return value if isinstance(value, str) and _NAME.fullmatch(value) else None


# -- what became of them


def get_own(db: Db, actor: Actor, op_id: UUID, language: Language) -> dict[str, Any]:
    """What became of an operation of the account, whichever phone sent it."""
    row = db.execute(
        _ROW.where(_of(actor.account_id), col(PushedOperation.op_id) == op_id)
    ).one_or_none()
    if row is None:
        raise not_found()
    return verdicts.read(row, language, reader_id=actor.account_id)


def list_own(actor: Actor, query: OperationQuery, language: Language) -> Pages:
    """The operations of the account, in the order they came."""
    statement = _ROW.where(_of(actor.account_id))
    if query.verdict is not None:
        statement = statement.where(col(PushedOperation.state) == query.verdict)
    show = each(partial(verdicts.read, language=language, reader_id=actor.account_id))
    return pages(statement, Order(col(PushedOperation.id)), show)
