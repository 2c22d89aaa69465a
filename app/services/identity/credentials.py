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
from app.security import canonical_code, digest
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
class WaysIn:
    """The account of a name and all that may open it, as stored."""

    id: UUID
    status: AccountStatus
    password_hash: str | None
    secret_digest: str | None
    code_digest: str | None
    code_expires_at: datetime | None


def find_ways_in(db: Db, *, username: str, kind: AccountKind) -> WaysIn | None:
    """What to check a password against: read first, so that nothing is held while it is hashed."""
    row = db.execute(
        sa.select(
            col(Account.id),
            col(Account.status),
            col(Account.password_hash),
            col(Account.secret_digest),
            col(Account.code_digest),
            col(Account.code_expires_at),
        ).where(col(Account.username) == _typed(username), col(Account.kind) == kind)
    ).one_or_none()
    return None if row is None else WaysIn(**row._mapping)


def _typed(username: str) -> str:
    """A user name as it is stored."""
    name = username.strip().lower()[:64]
    # NUL matches no account; PostgreSQL refuses the character itself.
    return "" if "\0" in name else name


def check_credentials(
    signin: Signin, account: WaysIn | None, *, username: str, secret: str, kind: AccountKind
) -> SignedIn:
    """Whose name and password (or code, or client secret) these are; 401 or 429 otherwise.

    `account` is what `find_ways_in` found. No connection is used here: hashing takes its time.
    """
    name = _typed(username)
    signin.check_lockout(name)
    usable = account is not None and account.status is not AccountStatus.disabled
    refused = "invalid_grant"
    if kind is AccountKind.client:
        ok = bool(usable and account and _matches(secret, account.secret_digest))
        by_code, new_hash = False, None
        refused = "invalid_client"
    else:
        hashed = account.password_hash if usable and account else None
        ok, new_hash = signin.check_password(secret, hashed)
        by_code = not ok and bool(usable and account and _is_code(secret, account))
    if not (ok or by_code) or account is None:
        signin.count_failure(name)
        raise Problem("bad_credentials", extra={"error": refused})
    proof = account.code_digest if by_code else account.password_hash or account.secret_digest
    return SignedIn(account.id, kind, by_code, new_hash, proof)


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


def check_replacement(
    signin: Signin, actor: Actor, account: WaysIn | None, *, current: str, new: str
) -> Replacement:
    """Whether the actor may set this password, by the old one or a one-time code.

    `account` is what `find_ways_in` found for this user name (a client is none). No
    connection is used here: hashing takes its time.
    """
    if account is None:
        raise Problem("wrong_account_kind", kind=AccountKind.person)
    signin.check_lockout(actor.username)
    ok, _ = signin.check_password(current, account.password_hash)
    if not ok and not _is_code(current, account):
        signin.count_failure(actor.username)
        raise invalid("password_wrong", "/current_password")
    is_code = _matches(canonical_code(new), account.code_digest)
    if is_code or actor.username in new.lower() or len(set(new)) < 5:
        raise invalid("password_weak", "/new_password")
    proof = account.password_hash if ok else account.code_digest
    return Replacement(signin.hash_password(new), proof)
