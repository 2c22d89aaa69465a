"""Refresh tokens: rotated at each use, and good once more for the phone whose answer was lost.

With each refresh the app sends a fresh nonce that it has stored before. The answer is kept, sealed
under a key made of the used token and the nonce, of which the server stores neither. The same two
get the same pair again, until one of its tokens has been seen; a used token with another nonce, or
none, ends the session (docs/decisions/0011).
"""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import utc_now
from app.errors import Problem
from app.models.kernel.accounts import Account, AccountStatus
from app.models.kernel.sessions import AuthSession, RefreshToken, RevokedReason, TokenResponse
from app.security.sealing import Sealer
from app.security.secret_texts import as_bytes, digest
from app.security.tokens import BadToken
from app.services.identity import bound_devices, sessions
from app.services.identity.signin import Signin


@dataclass(frozen=True, slots=True)
class Presented:
    """A refresh token as it came: with the nonce of this try, and from which network."""

    token: str
    nonce: str | None
    network: str

    def sealer(self) -> Sealer | None:
        if self.nonce is None:
            return None
        key = hmac.digest(as_bytes(self.nonce), b"hoiso:refresh:" + as_bytes(self.token), "sha512")
        return Sealer(key)


def refresh(session: Session, signin: Signin, presented: Presented) -> TokenResponse | Problem:
    """Another pair of tokens, or why not; a token that another has used has then ended its session.

    Returning instead of raising: the revocation must be committed although the answer is 401.
    """
    now = utc_now()
    # The token alone is locked: who shuts an account locks it first and its sessions after.
    token = session.get(RefreshToken, digest(presented.token), with_for_update=True)
    if token is None:
        return _refused()
    opened = session.get_one(AuthSession, token.session_id)
    account = session.get_one(Account, opened.account_id)
    over = opened.revoked_at is not None or opened.expires_at <= now
    if over or account.status is AccountStatus.disabled:
        return bound_devices.told_of_session(session, opened.id) or _refused()
    if token.used_at is not None:
        lost = _lost_answer(opened, presented)
        if lost is None:
            sessions.revoke(session, signin, opened, RevokedReason.refresh_reused)
            return _refused()
        return _again(session, signin, opened, presented, lost)
    token.used_at = now
    _prolong(session, signin, opened, presented.network, now)
    fresh = sessions.new_refresh_token(session, opened, now)
    return _answer(session, signin, opened, presented, fresh)


def _refused() -> Problem:
    return Problem("refresh_refused", extra={"error": "invalid_grant"})


def _prolong(
    session: Session, signin: Signin, opened: AuthSession, network: str, now: datetime
) -> None:
    opened.last_used_at = now
    opened.network = network
    opened.expires_at = now + timedelta(days=signin.settings.refresh_token_days)
    bound_devices.see(session, opened.device_id)
    session.flush()


def _answer(
    session: Session, signin: Signin, opened: AuthSession, presented: Presented, fresh: str
) -> TokenResponse:
    """The pair, kept for the phone if its answer is lost."""
    answer = sessions.token_response(session, signin, opened, fresh)
    sealer = presented.sealer()
    if sealer is None:
        opened.kept_answer = opened.kept_access_id = None
    else:
        opened.kept_answer = sealer.seal(answer.model_dump_json().encode(), opened.id.bytes)
        opened.kept_access_id = signin.verify(answer.access_token, utc_now()).token_id
    session.flush()
    return answer


def _lost_answer(opened: AuthSession, presented: Presented) -> TokenResponse | None:
    """What this very token and nonce were answered, while nothing of it has been seen."""
    sealer = presented.sealer()
    if sealer is None or opened.kept_answer is None:
        return None
    try:
        return TokenResponse.model_validate_json(sealer.open(opened.kept_answer, opened.id.bytes))
    except ValueError:
        return None


def _again(
    session: Session,
    signin: Signin,
    opened: AuthSession,
    presented: Presented,
    lost: TokenResponse,
) -> TokenResponse:
    """The same pair; once its access token is no longer good, another one beside the refresh token."""
    assert lost.refresh_token is not None  # noqa: S101  # a refresh answers with one
    bound_devices.see(session, opened.device_id)
    now = utc_now()
    try:
        left = signin.verify(lost.access_token, now).expires_at - now
    except BadToken:
        left = timedelta()
    if left <= timedelta():
        return _answer(session, signin, opened, presented, lost.refresh_token)
    return lost.model_copy(update={"expires_in": int(left.total_seconds())})


def seen(session: Session, session_id: UUID, access_id: str) -> None:
    """The phone has used this access token, so that it has the pair: it is kept no longer."""
    session.connection().execute(
        sa.update(AuthSession)
        .where(col(AuthSession.id) == session_id, col(AuthSession.kept_access_id) == access_id)
        .values(kept_answer=None, kept_access_id=None)
    )
