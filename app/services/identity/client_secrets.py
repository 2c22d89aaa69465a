"""The secrets of programs: at most two at a time, so that one can be replaced while the other is used."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import local_today, utc_now
from app.errors import Problem
from app.models.identity.clients import ClientSecret
from app.models.kernel.accounts import Account, AccountStatus
from app.models.kernel.sessions import RevokedReason
from app.security.secret_texts import digest, new_secret
from app.services.identity import sessions
from app.services.identity.signin import Signin
from app.services.kernel.access import Db

MOST = 2


@dataclass(frozen=True, slots=True)
class Issued:
    """A new secret: shown once, stored as its digest."""

    row: ClientSecret
    secret: str


def good_on(day: date) -> sa.ColumnElement[bool]:
    """Secrets that are neither revoked nor over on that day."""
    return sa.and_(
        col(ClientSecret.revoked_at).is_(None),
        sa.or_(col(ClientSecret.valid_to).is_(None), col(ClientSecret.valid_to) >= day),
    )


def good(session: Session, account_id: UUID) -> Sequence[ClientSecret]:
    """Those that open the account today, the oldest first."""
    mine = select(ClientSecret).where(
        col(ClientSecret.account_id) == account_id, good_on(local_today())
    )
    return session.exec(mine.order_by(col(ClientSecret.id))).all()


def creators(db: Db, account_id: UUID) -> set[UUID | None]:
    """Who was shown a secret that is good, and may use it."""
    mine = (col(ClientSecret.account_id) == account_id, good_on(local_today()))
    return set(db.execute(sa.select(col(ClientSecret.created_by)).where(*mine)).scalars())


def arm(account: Account, *, by: UUID | None) -> None:
    """The program is in use; this account is shown its new secret."""
    account.armed_by = by
    account.status = AccountStatus.active


def add(session: Session, account: Account, *, valid_to: date | None = None) -> Issued:
    """One more secret, shown to who has armed the account; 409 where there are enough."""
    if len(good(session, account.id)) >= MOST:
        raise Problem("two_secrets")
    now, secret = utc_now(), new_secret()
    row = ClientSecret(
        account_id=account.id,
        digest=digest(secret),
        valid_to=valid_to,
        created_by=account.armed_by,
        created_at=now,
        updated_at=now,
    )
    session.add(row)
    session.flush()
    return Issued(row, secret)


def hold(session: Session, account_id: UUID, secret_id: UUID) -> ClientSecret | None:
    """A secret of this account that was not revoked; who holds the account holds its secrets."""
    found = session.get(ClientSecret, secret_id, populate_existing=True)
    if found is None or found.account_id != account_id or found.revoked_at is not None:
        return None
    return found


def revoke(session: Session, signin: Signin, secret: ClientSecret) -> None:
    """The secret is good no longer, and what it opened is closed."""
    secret.revoked_at = utc_now()
    session.flush()
    sessions.revoke_all(
        session, signin, secret.account_id, RevokedReason.by_officer, by_key=secret.id
    )


def revoke_all(session: Session, account_id: UUID) -> None:
    """None of its secrets opens the account any more; who calls ends its sessions."""
    for each in good(session, account_id):
        each.revoked_at = utc_now()
    session.flush()
