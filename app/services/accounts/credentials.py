"""The secrets of a program as its officers manage them, and how much the program asks."""

from datetime import date
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import local_today
from app.errors import Problem, invalid, not_found
from app.models.identity.clients import (
    ClientSecret,
    ClientUsage,
    CredentialCreate,
    CredentialIssued,
    CredentialList,
    CredentialRead,
    UsageQuery,
    UsageRead,
)
from app.models.kernel.access import Right
from app.models.kernel.accounts import Account, AccountKind, AccountStatus
from app.services.accounts import accounts, reading
from app.services.identity import client_secrets
from app.services.identity.signin import Signin
from app.services.identity.usage import UsageMeter
from app.services.kernel.access import Actor, Db
from app.services.kernel.keyset import Order, Pages, pages

_SECRET = sa.select(
    *(getattr(ClientSecret, name) for name in CredentialRead.model_fields)
).order_by(col(ClientSecret.id))
_USAGE = sa.select(*(getattr(ClientUsage, name) for name in UsageRead.model_fields))


def list_credentials(db: Db, actor: Actor, meter: UsageMeter, account_id: UUID) -> CredentialList:
    """The secrets of a program that are good."""
    _ensure_program(reading.get_account(db, actor, account_id).kind)
    meter.flush()
    good = (col(ClientSecret.account_id) == account_id, client_secrets.good_on(local_today()))
    rows = db.execute(_SECRET.where(*good))
    return CredentialList(items=[CredentialRead(**row._mapping) for row in rows])


def add(
    session: Session, actor: Actor, account_id: UUID, body: CredentialCreate
) -> CredentialIssued:
    """A second secret beside the one there is; like a reset it lets the actor in."""
    account = _held(session, actor, account_id)
    accounts.ensure_holds_all(session, actor, account)
    _ensure_to_come(body.valid_to, "/valid_to")
    if body.other_valid_to is not None:
        _end_other(session, account, body.other_valid_to)
    client_secrets.arm(account, by=actor.account_id)
    issued = client_secrets.add(session, account, valid_to=body.valid_to)
    shown = {name: getattr(issued.row, name) for name in CredentialRead.model_fields}
    return CredentialIssued(**shown, client_secret=issued.secret)


def _end_other(session: Session, account: Account, last_day: date) -> None:
    """The secret there is goes on until that day, and no longer than before."""
    _ensure_to_come(last_day, "/other_valid_to")
    others = client_secrets.good(session, account.id)
    if not others:
        raise invalid("not_together", "/other_valid_to", expected="valid_to")
    for each in others:
        if each.valid_to is None or each.valid_to > last_day:
            each.valid_to = last_day
    session.flush()


def _ensure_to_come(day: date | None, pointer: str) -> None:
    if day is not None and day < local_today():
        raise invalid("date_in_past", pointer)


def revoke(
    session: Session, signin: Signin, actor: Actor, account_id: UUID, secret_id: UUID
) -> None:
    """A secret is good no longer, and what it opened ends, everywhere within 5 s."""
    account, _ = accounts.access_account(session, actor, account_id, Right.accounts_write)
    _ensure_program(account.kind)
    secret = client_secrets.hold(session, account.id, secret_id)
    if secret is None:
        raise not_found()
    client_secrets.revoke(session, signin, secret)


def list_usage(
    db: Db, actor: Actor, meter: UsageMeter, account_id: UUID, query: UsageQuery
) -> Pages:
    """What a program asked for, by day and operation, the last day first."""
    _ensure_program(reading.get_account(db, actor, account_id).kind)
    meter.flush()
    statement = _USAGE.where(col(ClientUsage.account_id) == account_id)
    if query.from_ is not None:
        statement = statement.where(col(ClientUsage.day) >= query.from_)
    if query.to is not None:
        statement = statement.where(col(ClientUsage.day) <= query.to)
    return pages(statement, Order(col(ClientUsage.day).desc(), col(ClientUsage.operation)))


def _held(session: Session, actor: Actor, account_id: UUID) -> Account:
    account, _ = accounts.access_account(session, actor, account_id, Right.accounts_write)
    _ensure_program(account.kind)
    if account.status is AccountStatus.disabled:
        raise Problem("account_state", status=account.status)
    return account


def _ensure_program(kind: AccountKind) -> None:
    if kind is not AccountKind.client:
        raise Problem("wrong_account_kind", kind=AccountKind.client)
