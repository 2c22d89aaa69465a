"""Accounts as rows: made, held, and given the code or the secret they are entered with.

Who may do what to whom is decided in the room of accounts.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from sqlmodel import Session, col, select

from app.clock import utc_now
from app.models.kernel.accounts import Account, AccountKind, AccountStatus
from app.security.secret_texts import canonical_code, code_of, digest, new_code
from app.services.kernel.created_once import Taken, created_once
from app.vault import Vault


class Credential(NamedTuple):
    """What is shown once: a one-time code of a person, or the secret of a client."""

    code: str | None = None
    secret: str | None = None


def hold(session: Session, account_id: UUID) -> Account | None:
    """The account, kept from every other writer until the commit."""
    return session.get(Account, account_id, with_for_update=True)


def hold_of_member(session: Session, member_id: UUID) -> Account | None:
    """The account a member signs in with, held as well."""
    statement = select(Account).where(col(Account.member_id) == member_id)
    return session.exec(statement.with_for_update()).one_or_none()


def named(session: Session, username: str) -> Account | None:
    return session.exec(select(Account).where(col(Account.username) == username)).one_or_none()


def new(
    kind: AccountKind,
    username: str,
    display_name: str,
    unit_id: int,
    *,
    password_hash: str | None = None,
) -> Account:
    now = utc_now()
    return Account(
        kind=kind,
        username=username,
        display_name=display_name,
        unit_id=unit_id,
        password_hash=password_hash,
        status=AccountStatus.invited,
        created_at=now,
        updated_at=now,
    )


def enter(session: Session, account: Account) -> None:
    session.add(account)
    session.flush()


def create_once(
    session: Session,
    given_id: UUID | None,
    make: Callable[[], Account],
    *,
    same: Callable[[Account], bool],
    taken: Taken,
) -> tuple[Account, bool]:
    """The account, and whether it is new (see `created_once`)."""
    return created_once(session, Account, given_id, make, same=same, taken=taken)


def arm(
    account: Account, code_days: int, *, by: UUID | None, printable: Vault | None = None
) -> Credential:
    """Give the account of a person a new code instead of what it had; only the digest is stored.

    `printable`: the code follows from the data key, the account and when it expires, so that a
    sheet of codes can be printed again.
    """
    account.armed_by = by
    account.password_hash = None
    account.code_expires_at = utc_now() + timedelta(days=code_days)
    code = next(_codes(account, printable)) if printable else new_code()
    account.code_digest = digest(canonical_code(code))
    return Credential(code=code)


class Armed(Protocol):
    """An account, or a row with these of its columns."""

    @property
    def id(self) -> UUID: ...

    @property
    def code_digest(self) -> str | None: ...

    @property
    def code_expires_at(self) -> datetime | None: ...


def code_to_print(account: Armed, vault: Vault) -> str | None:
    """The code that was made `printable`, while it is good for signing in."""
    expires = account.code_expires_at
    if account.code_digest is None or expires is None or expires <= utc_now():
        return None
    codes = _codes(account, vault)
    return next((code for code in codes if digest(code) == account.code_digest), None)


def _codes(account: Armed, vault: Vault) -> Iterator[str]:
    """One for each data key, the first one first."""
    assert account.code_expires_at is not None  # noqa: S101  # the caller has seen to it
    text = f"{account.id}:{account.code_expires_at.timestamp():.0f}"
    halves = (vault.digests(text, f"one_time_code:{half}") for half in ("first", "second"))
    for first, second in zip(*halves, strict=True):
        yield code_of((first % 2**64) << 64 | second % 2**64)


def let_in(account: Account) -> None:
    """It is no longer disabled, and is entered with what it had."""
    usable = account.password_hash or account.kind is AccountKind.client
    account.status = AccountStatus.active if usable else AccountStatus.invited


def rename(account: Account, display_name: str) -> None:
    account.display_name = display_name


def describe(account: Account, given: Mapping[str, Any]) -> None:
    """What is known of a program (`purpose`, `contact`, `networks`, `valid_to`): those of them that
    are given."""
    account.purpose = given.get("purpose", account.purpose)
    account.contact = given.get("contact", account.contact)
    account.networks = given.get("networks", account.networks)
    account.valid_to = given.get("valid_to", account.valid_to)


def link(account: Account, member_id: UUID | None) -> None:
    """It is this member's own, or nobody's."""
    account.member_id = member_id


def hand_over(account: Account, unit_id: int) -> None:
    """The officers of this unit look after it from now on."""
    account.unit_id = unit_id
