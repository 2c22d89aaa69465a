"""Names with passwords, one-time codes or client secrets, and whose they are."""

import hmac
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from app.clock import utc_now
from app.errors import Problem, invalid
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


@dataclass(frozen=True, slots=True)
class Claimed:
    """A name and what is said to open it: a password or code, or the secret of a client."""

    kind: AccountKind
    username: str
    secret: str


@dataclass(frozen=True, slots=True)
class WaysIn:
    """The account of a name and all that may open it, as stored."""

    id: UUID
    status: AccountStatus
    password_hash: str | None
    secret_digest: str | None
    code_digest: str | None
    code_expires_at: datetime | None
    # The network or device that asks has signed in with it before.
    known: bool


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
            col(Account.secret_digest),
            col(Account.code_digest),
            col(Account.code_expires_at),
            signed_in_there.label("known"),
        ).where(col(Account.username) == username, col(Account.kind) == kind)
    ).one_or_none()
    return None if row is None else WaysIn(**row._mapping)


def name_of(account: WaysIn | None, *, kind: AccountKind, username: str) -> TriedName:
    """The name as failures are counted for it."""
    issued = account and (account.code_digest or account.secret_digest)
    return TriedName(kind, username, issued or "")


async def check_credentials(signin: Signin, account: WaysIn | None, given: Claimed) -> SignedIn:
    """Whose name and password (or code, or client secret) these are; 401 otherwise.

    `account` is what `find_ways_in` found. No connection is used here: hashing takes its time.
    """
    usable = account is not None and account.status is not AccountStatus.disabled
    refused = "invalid_grant"
    if given.kind is AccountKind.client:
        ok = bool(usable and account and _matches(given.secret, account.secret_digest))
        by_code, new_hash = False, None
        refused = "invalid_client"
    else:
        hashed = account.password_hash if usable and account else None
        ok, new_hash = await signin.check_password(given.secret, hashed)
        by_code = not ok and bool(usable and account and _is_code(given.secret, account))
    if not (ok or by_code) or account is None:
        raise Problem("bad_credentials", extra={"error": refused})
    proof = account.code_digest if by_code else account.password_hash or account.secret_digest
    return SignedIn(account.id, given.kind, by_code, new_hash, proof)


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
