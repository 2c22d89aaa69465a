"""Links between accounts and logins of providers, as rows."""

from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import utc_now
from app.errors import Problem
from app.models.identity.external_logins import ExternalLogin
from app.models.kernel.sessions import RevokedReason
from app.services.identity import sessions
from app.services.identity.signin import Signin
from app.services.kernel.access import Db
from app.services.kernel.created_once import insert


def linkers(db: Db, account_id: UUID) -> set[UUID | None]:
    """Who linked a login with the account, and may have it."""
    mine = sa.select(col(ExternalLogin.linked_by)).where(
        col(ExternalLogin.account_id) == account_id
    )
    return set(db.execute(mine).scalars())


def link(
    session: Session, account_id: UUID, issuer: str, subject: str, *, by: UUID
) -> ExternalLogin:
    """409 where the login is linked with an account, or the account with another of this provider."""
    now = utc_now()
    row = ExternalLogin(
        account_id=account_id,
        issuer=issuer,
        subject=subject,
        linked_by=by,
        created_at=now,
        updated_at=now,
    )
    taken = {
        "uq_external_login_issuer_subject": Problem("external_login_taken"),
        "uq_external_login_account_id_issuer": Problem("external_login_exists"),
    }
    insert(session, [row], taken)
    return row


def hold(session: Session, account_id: UUID, login_id: UUID) -> ExternalLogin | None:
    """A link of this account; who holds the account holds its links."""
    found = session.get(ExternalLogin, login_id, populate_existing=True)
    return found if found is not None and found.account_id == account_id else None


def unlink(session: Session, signin: Signin, login: ExternalLogin) -> None:
    """The login opens the account no longer, and what it opened is closed."""
    account_id, login_id = login.account_id, login.id
    session.delete(login)
    session.flush()
    sessions.revoke_all(session, signin, account_id, RevokedReason.by_officer, by_key=login_id)


def unlink_all(session: Session, account_id: UUID) -> None:
    """No login opens the account any more; who calls ends its sessions."""
    mine = select(ExternalLogin).where(col(ExternalLogin.account_id) == account_id)
    for each in session.exec(mine).all():
        session.delete(each)
    session.flush()
