"""Idempotency-Key: the same request sent again gets the stored answer, never a second effect."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from hashlib import blake2b
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import utc_now
from app.db import on_sqlite, vault_of
from app.errors import Problem, invalid
from app.models.kernel.epochs import Epoch
from app.models.kernel.idempotency import IdempotentAnswer
from app.services.kernel.access import Actor
from app.services.kernel.holdings import Forgotten, Person
from app.vault import Vault

KEPT = timedelta(days=1)
_running: set[tuple[UUID, str]] = set()
_running_lock = threading.Lock()


def digest(secret: bytes, method: str, path: str, query: str, body: bytes) -> str:
    """What makes two requests the same: method, address and body.

    Keyed by a secret: a body may hold a password, and a plain hash of it could be searched.
    """
    sent = b"\0".join([f"{method} {path}?{query}".encode(), body])
    return blake2b(sent, key=secret, digest_size=32).hexdigest()


def grants_digest(actor: Actor) -> str:
    """A digest of an account's grants, which decide the rows and fields it may read."""
    held = sorted({f"{grant.unit_id} {' '.join(sorted(grant.rights))}" for grant in actor.grants})
    return blake2b("\n".join(held).encode(), digest_size=32).hexdigest()


@contextmanager
def claimed(account_id: UUID, key: str) -> Iterator[None]:
    """Hold a key while its request runs; a concurrent request gets `idempotency_in_progress`.

    Taken before the transaction, so that a second request is refused at once and does not queue.
    """
    if not (1 <= len(key) <= 128 and key.isascii() and key.isprintable()):
        raise invalid("key_invalid", "/idempotency-key", place="header")
    claim = (account_id, key)
    with _running_lock:
        if claim in _running:
            raise Problem("idempotency_in_progress", retry_after=1)
        _running.add(claim)
    try:
        yield
    finally:
        with _running_lock:
            _running.discard(claim)


def stored(
    session: Session, account_id: UUID, key: str, request_digest: str
) -> IdempotentAnswer | None:
    """The answer kept under this key, or None when the request is the first and may run.

    Raises `idempotency_key_reused` (other request) and `idempotency_in_progress` (elsewhere).
    """
    _lock_across_processes(session, account_id, key)
    answer = session.get(IdempotentAnswer, (account_id, key))
    if answer is not None and answer.created_at < utc_now() - KEPT:
        session.delete(answer)
        session.flush()
        return None
    if answer is not None and answer.request_digest != request_digest:
        raise Problem("idempotency_key_reused")
    if answer is not None and _opened(vault_of(session), answer.body) is None:
        answer.body, answer.grants_digest = b"", ""
        session.flush()
    return answer


def lost_since(session: Session) -> datetime | None:
    """Answers given from then until the server was restored are not known any more, nor is what
    those requests did; None where all that are kept so long are."""
    found = session.execute(
        sa.select(sa.func.min(col(Epoch.taken_at))).where(col(Epoch.began_at) > utc_now() - KEPT)
    )
    since: datetime | None = found.scalar_one()
    return since


def _lock_across_processes(session: Session, account_id: UUID, key: str) -> None:
    if on_sqlite(session):
        return  # one writer: the transaction itself is the lock
    number = int.from_bytes(
        blake2b(account_id.bytes + key.encode(), digest_size=8).digest(), signed=True
    )
    if not session.execute(sa.select(sa.func.pg_try_advisory_xact_lock(number))).scalar_one():
        raise Problem("idempotency_in_progress", retry_after=1)


def store(
    session: Session,
    *,
    actor: Actor,
    key: str,
    request_digest: str,
    status: int,
    headers: dict[str, str],
    body: bytes,
) -> None:
    """Keep the answer in the same transaction as its effect."""
    session.add(
        IdempotentAnswer(
            account_id=actor.account_id,
            key=key,
            request_digest=request_digest,
            grants_digest=grants_digest(actor),
            status=status,
            headers=headers,
            body=_sealed(vault_of(session), body),
            created_at=utc_now(),
        )
    )
    session.flush()


def body_of(session: Session, answer: IdempotentAnswer) -> bytes:
    """The answer as it was given."""
    return (_opened(vault_of(session), answer.body) or "").encode()


def _opened(vault: Vault, body: bytes) -> str | None:
    """None where the key it was sealed with has been taken away: then nobody reads it any more."""
    if not body:
        return ""
    try:
        return vault.open(body.decode(), "answer")
    except ValueError:
        return None


def forget_about(session: Session, people: Sequence[Person]) -> Forgotten:
    """Delete stored bodies that mention one of these people (by name or id) and all that were given
    to their accounts; a retry learns only that the request was done.
    """
    texts = [
        *(name for person in people for name in person.names),
        *(str(each) for person in people for each in person.all_ids),
    ]
    account_ids = {account_id for person in people for account_id in person.account_ids}
    vault = vault_of(session)
    connection = session.connection()
    statement = sa.select(
        col(IdempotentAnswer.account_id), col(IdempotentAnswer.key), col(IdempotentAnswer.body)
    ).where(col(IdempotentAnswer.body) != b"")
    forgotten = 0
    # At most a day of answers: each has to be opened, since nothing else names the people in it.
    for row in connection.execute(statement).all():
        body = _opened(vault, row.body)
        speaks = body is None or any(text in body for text in texts)
        if speaks or row.account_id in account_ids:
            connection.execute(_FORGET, {"of": row.account_id, "which": row.key})
            forgotten += 1
    return {IdempotentAnswer: forgotten}


_FORGET = (
    sa.update(IdempotentAnswer)
    .where(
        col(IdempotentAnswer.account_id) == sa.bindparam("of"),
        col(IdempotentAnswer.key) == sa.bindparam("which"),
    )
    # No grants match this digest: a retry is answered without a body.
    .values(body=b"", grants_digest="")
)


def _sealed(vault: Vault, body: bytes) -> bytes:
    """Answers hold phones and citizen ids: sealed like those."""
    return vault.seal(body.decode(), "answer").encode() if body else b""


def forget_old(session: Session) -> int:
    """Housekeeping: drop answers older than a day; returns how many."""
    result = session.connection().execute(
        sa.delete(IdempotentAnswer).where(col(IdempotentAnswer.created_at) < utc_now() - KEPT)
    )
    return result.rowcount
