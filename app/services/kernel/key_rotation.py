"""Reseal stored data with the first data key, so that older keys can be removed.

`HOISO_DATA_KEYS=new,old` lets both open; this job seals everything with the new one. It may be
stopped at any moment and started again: rows already resealed are skipped. Answers stored for
`Idempotency-Key` are not resealed: after their key has been removed, a retry learns that the
request was done, without the answer.
"""

from collections.abc import Generator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col

from app.db import Database, vault_of
from app.models.base import sealed_fields
from app.models.kernel.changes import Change
from app.services.kernel.keyset import Key, Order
from app.services.kernel.manifest import manifest
from app.vault import Vault

CHUNK = 500


def rotate(database: Database) -> int:
    """Seal everything with the first key; returns how many rows were rewritten.

    A chunk a transaction: nobody waits for long.
    """
    return sum(_table(database, model) for model in manifest().sealed) + _log(database)


def _table(database: Database, model: Any) -> int:
    sealed = sealed_fields(model)
    # As they are stored: whether a value is due is seen without opening it.
    stored = [sa.type_coerce(getattr(model, name), sa.Text).label(name) for name in sealed]
    follow = manifest().resealed.get(model)
    rewritten = 0
    for session, rows in _chunks(database, model, stored):
        vault = vault_of(session)
        for row in rows:
            values = {name: getattr(row, name) for name in sealed}
            due = {n: v for n, v in values.items() if v is not None and not vault.is_current(v)}
            if not due:
                continue
            opened: dict[str, Any] = {n: vault.open(v, sealed[n]) for n, v in due.items()}
            if follow is not None:
                opened |= follow(session, row.id, opened)
            session.execute(
                sa.update(model).where(model.id == row.id).values(opened),
                execution_options={"synchronize_session": False},
            )
            rewritten += 1
    return rewritten


def _log(database: Database) -> int:
    """The change log keeps sealed values as they were: those are sealed anew as well."""
    rewritten = 0
    columns = [col(Change.entity), col(Change.before), col(Change.after)]
    for session, rows in _chunks(database, Change, columns):
        vault = vault_of(session)
        for row in rows:
            sealed = manifest().by_entity[row.entity][1].sealed
            before, after = (_resealed(vault, sealed, side) for side in (row.before, row.after))
            if before is not row.before or after is not row.after:
                session.execute(
                    sa.update(Change)
                    .where(col(Change.id) == row.id)
                    .values(before=before, after=after),
                    execution_options={"synchronize_session": False},
                )
                rewritten += 1
    return rewritten


def _resealed(
    vault: Vault, sealed: Mapping[str, str], values: dict[str, Any] | None
) -> dict[str, Any] | None:
    """The same object when there is nothing to do."""
    due = {
        name: vault.seal(vault.open(value, purpose), purpose)
        for name, purpose in sealed.items()
        if values is not None and (value := values.get(name)) and not vault.is_current(value)
    }
    return {**(values or {}), **due} if due else values


def _chunks(
    database: Database, model: Any, columns: Sequence[Any]
) -> Generator[tuple[Session, Sequence[Any]]]:
    """All rows by id, locked, each chunk in a transaction of its own."""
    by_id = Order(model.id)
    walk = by_id.walk(sa.select(model.id, *columns).with_for_update())
    after: Key | None = None
    while True:
        with database.writing() as session:
            rows = session.execute(walk(after, CHUNK)).all()
            if rows:
                yield session, rows
        if len(rows) < CHUNK:
            return
        after = by_id.key(rows[-1])
