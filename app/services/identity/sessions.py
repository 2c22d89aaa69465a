"""Sign-in sessions of accounts: opened, listed, ended."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import end_of, utc_now
from app.errors import Problem, not_found
from app.models.identity.clients import ClientSecret
from app.models.identity.devices import Device
from app.models.kernel.accounts import Account, AccountKind, AccountStatus
from app.models.kernel.sessions import (
    AuthSession,
    RefreshToken,
    RevokedReason,
    SessionList,
    SignInSessionRead,
    TokenResponse,
)
from app.security.secret_texts import digest, new_secret
from app.security.tokens import BadToken
from app.services.identity import bound_devices
from app.services.identity.credentials import Replacement, SignedIn
from app.services.identity.signin import Signin
from app.services.kernel.access import Actor, Db
from app.services.kernel.actors import grants_of


@dataclass(frozen=True, slots=True)
class SignInClient:
    """What a client reports about itself when it signs in; `device_id` where it has enrolled."""

    name: str | None
    user_agent: str | None
    device_id: UUID | None = None
    # Of the lock-out: a keyed digest.
    network: str | None = None


def open_session(
    session: Session, signin: Signin, who: SignedIn, client: SignInClient
) -> TokenResponse:
    """A new session, with its first tokens. Programs get no refresh token."""
    if who.proof is not None:
        _ensure_unchanged(session, who.account_id, who.proof, key_id=who.key_id)
    now = utc_now()
    lifetime = timedelta(days=signin.settings.refresh_token_days)
    if who.kind is AccountKind.client:
        lifetime = timedelta(seconds=signin.settings.access_token_seconds)
    expires_at = now + lifetime
    if who.last_day is not None:
        expires_at = min(expires_at, end_of(who.last_day))
    device_id = client.device_id
    if device_id is not None:
        device_id = bound_devices.device_to_sign_in_on(session, who.account_id, device_id)
    opened = AuthSession(
        account_id=who.account_id,
        device=client.name,
        device_id=device_id,
        user_agent=client.user_agent,
        network=client.network,
        must_change_password=who.by_code,
        key_id=who.key_id,
        created_at=now,
        last_used_at=now,
        expires_at=expires_at,
    )
    session.add(opened)
    session.flush()
    if who.new_hash:
        # The parameters have changed since: keep the password under the new ones.
        session.execute(
            sa.update(Account)
            .where(col(Account.id) == who.account_id)
            .values(password_hash=who.new_hash)
        )
    refresh = None if who.kind is AccountKind.client else new_refresh_token(session, opened, now)
    return token_response(session, signin, opened, refresh)


def _ensure_unchanged(
    session: Session, account_id: UUID, proof: str | None, *, key_id: UUID | None = None
) -> Account:
    """The account, locked.

    Nothing was locked while the password was hashed: it may be another one by now, or the account
    disabled, or the secret of a program revoked. A retry with what is right succeeds.
    """
    account = session.get_one(Account, account_id, with_for_update=True)
    ways_in = (account.password_hash, account.code_digest)
    if key_id is not None:
        secret = session.get_one(ClientSecret, key_id)
        ways_in = (None, None if secret.revoked_at else secret.digest)
    if account.status is AccountStatus.disabled or proof not in ways_in:
        raise Problem("unavailable", retry_after=1)
    return account


def new_refresh_token(session: Session, opened: AuthSession, now: datetime) -> str:
    secret = new_secret()
    session.add(
        RefreshToken(
            digest=digest(secret),
            session_id=opened.id,
            issued_at=now,
            expires_at=opened.expires_at,
        )
    )
    session.flush()
    return secret


def token_response(
    session: Session, signin: Signin, opened: AuthSession, refresh: str | None
) -> TokenResponse:
    """An access token that begins now, beside this refresh token."""
    grants = () if opened.must_change_password else grants_of(session, opened.account_id)
    rights = sorted({right.value for grant in grants for right in grant.rights})
    now, lifetime = utc_now(), signin.settings.access_token_seconds
    left = int((opened.expires_at - now).total_seconds()) + 1
    return TokenResponse(
        access_token=signin.access_token(opened.account_id, opened.id, now),
        token_type="Bearer",  # noqa: S106  # RFC 6750's name of a scheme
        expires_in=min(lifetime, left),
        refresh_token=refresh,
        scope=" ".join(rights),
        device_id=opened.device_id,
    )


def revoke_token(session: Session, signin: Signin, token: str) -> None:
    """RFC 7009: end the session of a refresh or access token; unknown tokens are no error."""
    session_id = session_of(session, signin, token)
    if session_id is None:
        return
    opened = session.get(AuthSession, session_id, with_for_update=True)
    if opened is not None and opened.revoked_at is None:
        revoke(session, signin, opened, RevokedReason.signed_out)


def session_of(session: Session, signin: Signin, token: str) -> UUID | None:
    """The session of a refresh token of any age, or of an access token that is good."""
    session_id = session.exec(
        select(RefreshToken.session_id).where(col(RefreshToken.digest) == digest(token))
    ).one_or_none()
    if session_id is not None:
        return session_id
    try:
        return signin.verify(token, utc_now()).session_id
    except BadToken:
        return None


def revoke(session: Session, signin: Signin, opened: AuthSession, reason: RevokedReason) -> None:
    """End a session."""
    _end(opened, reason)
    session.flush()
    signin.forget(session_id=opened.id)


def _end(opened: AuthSession, reason: RevokedReason) -> None:
    opened.revoked_at = utc_now()
    opened.revoked_reason = reason
    opened.kept_answer = opened.kept_access_id = None


def revoke_of_device(session: Session, signin: Signin, device_id: UUID) -> None:
    """End every open session of a device."""
    of_device = select(AuthSession).where(
        col(AuthSession.device_id) == device_id, col(AuthSession.revoked_at).is_(None)
    )
    for opened in session.exec(of_device.with_for_update()).all():
        revoke(session, signin, opened, RevokedReason.device_revoked)


def revoke_all(
    session: Session,
    signin: Signin,
    account_id: UUID,
    reason: RevokedReason,
    *,
    but: UUID | None = None,
    by_key: UUID | None = None,
) -> int:
    """End every open session of an account, except one, or those that one key has opened; returns
    how many."""
    ended = _end_sessions(session, account_id, reason, but=but, by_key=by_key)
    signin.forget(account_id=account_id)
    return ended


def _end_sessions(
    session: Session,
    account_id: UUID,
    reason: RevokedReason,
    *,
    but: UUID | None = None,
    by_key: UUID | None = None,
) -> int:
    mine = select(AuthSession).where(
        col(AuthSession.account_id) == account_id, col(AuthSession.revoked_at).is_(None)
    )
    if by_key is not None:
        mine = mine.where(col(AuthSession.key_id) == by_key)
    opened = session.exec(mine).all()
    ended = [each for each in opened if each.id != but]
    for each in ended:
        _end(each, reason)
    session.flush()
    return len(ended)


def end_everything(session: Session) -> None:
    """After a restore: what was ended, used or replaced in the lost days would be good again. All
    sign-in sessions end, and one-time codes that were not used."""
    connection = session.connection()
    connection.execute(
        sa.update(AuthSession)
        .where(col(AuthSession.revoked_at).is_(None))
        .values(
            revoked_at=utc_now(),
            revoked_reason=RevokedReason.restored,
            kept_answer=None,
            kept_access_id=None,
        )
    )
    connection.execute(
        sa.update(Account)
        .where(col(Account.code_digest).is_not(None))
        .values(code_digest=None, code_expires_at=None)
    )


def list_sessions(db: Db, actor: Actor) -> SessionList:
    """The caller's sign-in sessions, the latest first."""
    rows = db.execute(
        sa.select(
            col(AuthSession.id),
            col(AuthSession.device),
            col(AuthSession.device_id),
            col(AuthSession.user_agent),
            col(AuthSession.created_at),
            col(AuthSession.last_used_at),
            col(AuthSession.expires_at),
        )
        .where(
            col(AuthSession.account_id) == actor.account_id,
            col(AuthSession.revoked_at).is_(None),
            col(AuthSession.expires_at) > utc_now(),
        )
        .order_by(col(AuthSession.last_used_at).desc(), col(AuthSession.id))
        .limit(200)
    ).all()
    return SessionList(
        items=[
            SignInSessionRead(**row._mapping, current=row.id == actor.session_id) for row in rows
        ]
    )


def end_session(session: Session, signin: Signin, actor: Actor, session_id: UUID) -> None:
    """End one of the caller's sign-in sessions."""
    opened = session.get(AuthSession, session_id, with_for_update=True)
    if opened is None or opened.account_id != actor.account_id or opened.revoked_at is not None:
        raise not_found()
    revoke(session, signin, opened, RevokedReason.signed_out)


def end_all_sessions(session: Session, signin: Signin, actor: Actor) -> None:
    """End every sign-in session of the caller, this one too."""
    revoke_all(session, signin, actor.account_id, RevokedReason.signed_out)


def shut_out(session: Session, account: Account) -> None:
    """Disable an account: nobody can sign in with it, and its sign-in sessions end."""
    account.status = AccountStatus.disabled
    account.code_digest = account.code_expires_at = None
    _end_sessions(session, account.id, RevokedReason.account_disabled)


def change_password(
    session: Session, signin: Signin, actor: Actor, replacement: Replacement
) -> None:
    """Store a new password. Every other device is signed out."""
    account = _ensure_unchanged(session, actor.account_id, replacement.proof)
    account.password_hash = replacement.new_hash
    account.code_digest = account.code_expires_at = None
    account.status = AccountStatus.active
    opened = session.get(AuthSession, actor.session_id)
    if opened is not None:
        opened.must_change_password = False
    session.flush()
    revoke_all(session, signin, account.id, RevokedReason.password_changed, but=actor.session_id)


def forget_old(session: Session) -> int:
    """Housekeeping: drop sessions that ended over 30 days ago, with their tokens.

    Those of a phone that has yet to be wiped stay: by them it is recognised when it comes back.
    """
    limit = utc_now() - timedelta(days=30)
    to_be_wiped = sa.select(col(Device.id)).where(
        col(Device.wipe_requested_at).is_not(None), col(Device.wiped_at).is_(None)
    )
    result = session.connection().execute(
        sa.delete(AuthSession).where(
            sa.or_(col(AuthSession.expires_at) < limit, col(AuthSession.revoked_at) < limit),
            sa.or_(
                col(AuthSession.device_id).is_(None),
                col(AuthSession.device_id).not_in(to_be_wiped),
            ),
        )
    )
    return result.rowcount
