"""Names with passwords, one-time codes or client secrets, and whose they are."""

import hmac
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from app.clock import local_today, utc_now
from app.errors import Problem, invalid
from app.models.identity.clients import ClientSecret
from app.models.kernel.accounts import Account, AccountKind, AccountStatus
from app.models.kernel.sessions import AuthSession, RefreshToken
from app.security.secret_texts import canonical_code, digest
from app.services.identity.lockout import Source, TriedName
from app.services.identity.signin import Signin
from app.services.kernel.access import Actor, Db


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Credentials that were right: whose, and whether they only open the way to a password."""

    account_id: UUID
    kind: AccountKind
    by_code: bool
    new_hash: str | None
    # What they matched; None when nothing was checked.
    proof: str | None = None
    # Of a program: the secret, and the last day of the secret or of the program.
    key_id: UUID | None = None
    last_day: date | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A name and what is said to open it: a password or code, or the secret of a client."""

    kind: AccountKind
    username: str
    secret: str


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """A secret of a program that was not revoked; its last day may be over."""

    id: UUID
    digest: str
    valid_to: date | None


@dataclass(frozen=True, slots=True)
class WaysIn:
    """The account of a name and all that may open it, as stored."""

    id: UUID
    status: AccountStatus
    password_hash: str | None
    networks: list[str] | None
    valid_to: date | None
    code_digest: str | None
    code_expires_at: datetime | None
    # The network or device that asks has signed in with it before.
    known: bool
    # The newest last.
    secrets: tuple[StoredSecret, ...] = ()


def typed(username: str) -> str:
    """A user name as it is stored."""
    name = username.strip().lower()[:64]
    # NUL matches no account; PostgreSQL refuses the character itself.
    return "" if "\0" in name else name


def find_ways_in(db: Db, *, kind: AccountKind, username: str, source: Source) -> WaysIn | None:
    """What to check a password against: read first, so that nothing is held while it is hashed."""
    signed_in_there = sa.exists().where(
        col(AuthSession.account_id) == col(Account.id),
        sa.or_(
            col(AuthSession.network) == source.network,
            col(AuthSession.id).in_(
                sa.select(col(RefreshToken.session_id)).where(
                    col(RefreshToken.digest) == source.token_digest
                )
            ),
        ),
    )
    row = db.execute(
        sa.select(
            col(Account.id),
            col(Account.status),
            col(Account.password_hash),
            col(Account.networks),
            col(Account.valid_to),
            col(Account.code_digest),
            col(Account.code_expires_at),
            signed_in_there.label("known"),
        ).where(col(Account.username) == username, col(Account.kind) == kind)
    ).one_or_none()
    if row is None:
        return None
    secrets = _secrets(db, row.id) if kind is AccountKind.client else ()
    return WaysIn(**row._mapping, secrets=secrets)


def _secrets(db: Db, account_id: UUID) -> tuple[StoredSecret, ...]:
    names = ("id", "digest", "valid_to")
    rows = db.execute(
        sa.select(*(getattr(ClientSecret, name) for name in names))
        .where(col(ClientSecret.account_id) == account_id, col(ClientSecret.revoked_at).is_(None))
        .order_by(col(ClientSecret.id))
    )
    return tuple(StoredSecret(**row._mapping) for row in rows)


def name_of(account: WaysIn | None, *, kind: AccountKind, username: str) -> TriedName:
    """The name as failures are counted for it."""
    issued = account and account.code_digest
    if account is not None and account.secrets:
        issued = account.secrets[-1].digest
    return TriedName(kind, username, issued or "")


async def check_credentials(signin: Signin, account: WaysIn | None, given: Claimed) -> SignedIn:
    """Whose name and password (or code, or client secret) these are; 401 otherwise.

    `account` is what `find_ways_in` found. No connection is used here: hashing takes its time.
    """
    usable = account is not None and account.status is not AccountStatus.disabled
    if given.kind is AccountKind.client:
        return _program(account if usable else None, given.secret)
    hashed = account.password_hash if usable and account else None
    ok, new_hash = await signin.check_password(given.secret, hashed)
    by_code = not ok and bool(usable and account and _is_code(given.secret, account))
    if not (ok or by_code) or account is None:
        raise Problem("bad_credentials", extra={"error": "invalid_grant"})
    proof = account.code_digest if by_code else account.password_hash
    return SignedIn(account.id, given.kind, by_code, new_hash, proof)


def _program(account: WaysIn | None, secret: str) -> SignedIn:
    """The program whose secret this is; 403 when the secret was right until some day."""
    found = [each for each in account.secrets if _matches(secret, each.digest)] if account else []
    if account is None or not found:
        raise Problem("bad_credentials", extra={"error": "invalid_client"})
    [right] = found
    last_day = min((day for day in (right.valid_to, account.valid_to) if day), default=None)
    if last_day is not None and last_day < local_today():
        raise Problem("client_expired", day=last_day, extra={"error": "invalid_client"})
    return SignedIn(
        account.id,
        AccountKind.client,
        by_code=False,
        new_hash=None,
        proof=right.digest,
        key_id=right.id,
        last_day=last_day,
    )


def _is_code(secret: str, account: WaysIn) -> bool:
    expires = account.code_expires_at
    if expires is None or expires < utc_now():
        return False
    return _matches(canonical_code(secret), account.code_digest)


def _matches(secret: str, stored: str | None) -> bool:
    return stored is not None and hmac.compare_digest(digest(secret), stored)


@dataclass(frozen=True, slots=True)
class Replacement:
    """The hash of a new password, and what the old one or the code matched."""

    new_hash: str
    proof: str | None


async def check_current(signin: Signin, account: WaysIn, current: str) -> str | None:
    """What the old password or the one-time code matched; 422 when it is neither."""
    ok, _ = await signin.check_password(current, account.password_hash)
    if not ok and not _is_code(current, account):
        raise invalid("password_wrong", "/current_password")
    return account.password_hash if ok else account.code_digest


async def replacement(
    signin: Signin, actor: Actor, account: WaysIn, proof: str | None, new: str
) -> Replacement:
    """The hash of the new password; 422 when it is weak."""
    is_code = _matches(canonical_code(new), account.code_digest)
    if is_code or actor.username in new.lower() or len(set(new)) < 5:
        raise invalid("password_weak", "/new_password")
    return Replacement(await signin.hash_password(new), proof)
