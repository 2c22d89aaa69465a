"""Which logins of providers open an account: linked and unlinked by its officers, never by a name or an
address that happens to be the same."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.errors import Problem, invalid, not_found
from app.models.identity.external_logins import (
    ExternalLogin,
    ExternalLoginCreate,
    ExternalLoginList,
    ExternalLoginRead,
)
from app.models.kernel.access import Right
from app.models.kernel.accounts import AccountKind, AccountStatus
from app.services.accounts import accounts, reading
from app.services.identity import external_logins as rows
from app.services.identity.providers import Providers
from app.services.identity.signin import Signin
from app.services.kernel.access import Actor, Db

_LINKED = sa.select(
    col(ExternalLogin.id),
    col(ExternalLogin.issuer),
    col(ExternalLogin.created_at),
    col(ExternalLogin.revision),
).order_by(col(ExternalLogin.id))


def list_logins(db: Db, actor: Actor, providers: Providers, account_id: UUID) -> ExternalLoginList:
    """The logins that open an account within scope."""
    reading.get_account(db, actor, account_id)
    found = db.execute(_LINKED.where(col(ExternalLogin.account_id) == account_id))
    return ExternalLoginList(items=[_read(providers, row) for row in found])


def link(
    session: Session, signin: Signin, actor: Actor, account_id: UUID, body: ExternalLoginCreate
) -> ExternalLoginRead:
    """Who links a login may have it, so needs all that the account holds, as for a reset."""
    account, _ = accounts.access_account(session, actor, account_id, Right.accounts_write)
    if account.kind is not AccountKind.person:
        raise Problem("wrong_account_kind", kind=AccountKind.person)
    if account.id == actor.account_id:
        raise Problem("own_account")
    if account.status is AccountStatus.disabled:
        raise Problem("account_state", status=account.status)
    accounts.ensure_holds_all(session, actor, account)
    known = signin.providers.by_issuer
    if body.issuer not in known:
        raise invalid("not_in_list", "/issuer", allowed=sorted(known))
    row = rows.link(session, account.id, body.issuer, body.subject, by=actor.account_id)
    return _read(signin.providers, row)


def unlink(
    session: Session, signin: Signin, actor: Actor, account_id: UUID, login_id: UUID
) -> None:
    """Taking away needs no more than the right over accounts."""
    account, _ = accounts.access_account(session, actor, account_id, Right.accounts_write)
    login = rows.hold(session, account.id, login_id)
    if login is None:
        raise not_found()
    rows.unlink(session, signin, login)


def _read(providers: Providers, row: Any) -> ExternalLoginRead:
    remote = providers.by_issuer.get(row.issuer)
    return ExternalLoginRead(
        id=row.id,
        issuer=row.issuer,
        provider=None if remote is None else remote.provider.name,
        created_at=row.created_at,
        revision=row.revision,
    )
