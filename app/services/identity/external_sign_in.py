"""Signing in with a token of an OpenID Connect provider (RFC 8693, OpenID Connect Core 3.1.3.7).

The nonce is the digest of a proof that only the app has which asked for it: who finds the token of
another, in a log or on its way, cannot use it. A nonce is good once, so a token is.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import utc_now
from app.db import insert_new
from app.errors import Problem
from app.models.identity.external_logins import ExternalLogin, NonceRead, UsedNonce
from app.models.kernel.accounts import Account, AccountKind, AccountStatus
from app.models.kernel.sessions import TokenResponse
from app.security.base64url import encoded
from app.security.id_tokens import BadIdToken, UnverifiedToken
from app.security.sealing import Sealer
from app.security.secret_texts import as_bytes, digest
from app.services.identity import sessions
from app.services.identity.credentials import SignedIn
from app.services.identity.sessions import SignInClient
from app.services.identity.signin import Signin

NONCE_SECONDS: Final = 600
LEEWAY_SECONDS: Final = 60
_CONTEXT: Final = b"oidc nonce 1"
_STAMP_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Login:
    """Who a provider says is there: verified, and not yet used."""

    issuer: str
    subject: str
    nonce: str
    nonce_expires_at: datetime


def new_nonce(signin: Signin) -> NonceRead:
    """Nothing is stored: the proof carries its end, sealed."""
    ends = int(utc_now().timestamp()) + NONCE_SECONDS
    data = ends.to_bytes(_STAMP_BYTES) + secrets.token_bytes(24)
    proof = _sealer(signin).seal(data, _CONTEXT)
    return NonceRead(nonce=_nonce_of(proof), nonce_proof=proof, expires_in=NONCE_SECONDS)


def _sealer(signin: Signin) -> Sealer:
    return Sealer(signin.keyring.secret_for(b"oidc"))


def _nonce_of(proof: str) -> str:
    return encoded(hashlib.sha256(as_bytes(proof)).digest())


def verified(signin: Signin, token: str, proof: str) -> Login:
    """Who the token is about; 401 with the reason, 503 while its provider is away."""
    try:
        return _verified(signin, token, proof)
    except BadIdToken as error:
        raise refused(error) from error


def refused(error: BadIdToken) -> Problem:
    extra = {"error": "invalid_grant", "reason": error.reason}
    return Problem("external_login_refused", extra=extra)


def _verified(signin: Signin, token: str, proof: str) -> Login:
    now = utc_now().timestamp()
    ends = _end_of(signin, proof)
    if ends <= now:
        raise BadIdToken("wrong_nonce")
    found = UnverifiedToken.of(token)
    remote = signin.providers.of(found)
    found.ensure_signed(remote.keys_for(found))
    claims = found.claims
    _ensure_for_us(claims, remote.provider.client_id)
    _ensure_in_time(claims, now)
    nonce = _text(claims, "nonce")
    if not hmac.compare_digest(as_bytes(nonce), as_bytes(_nonce_of(proof))):
        raise BadIdToken("wrong_nonce")
    subject = _text(claims, "sub")
    ends_at = utc_now() + timedelta(seconds=ends - now)
    return Login(remote.provider.issuer, subject, nonce, ends_at)


def _end_of(signin: Signin, proof: str) -> int:
    try:
        data = _sealer(signin).open(proof, _CONTEXT)
    except ValueError:
        raise BadIdToken("wrong_nonce") from None
    return int.from_bytes(data[:_STAMP_BYTES])


def _text(claims: Any, name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value or "\0" in value:
        raise BadIdToken("missing_claim")
    return value


def _ensure_for_us(claims: Any, client_id: str) -> None:
    """One of several audiences only where the token was issued to us (`azp`)."""
    audience, party = claims.get("aud"), claims.get("azp")
    several = audience if isinstance(audience, list) else [audience]
    if client_id not in several or party not in (None, client_id):
        raise BadIdToken("wrong_audience")
    if len(several) > 1 and party is None:
        raise BadIdToken("wrong_audience")


def _ensure_in_time(claims: Any, now: float) -> None:
    expires, issued = _instant(claims, "exp"), _instant(claims, "iat")
    begins = _instant(claims, "nbf") if "nbf" in claims else issued
    if max(issued, begins) > now + LEEWAY_SECONDS:
        raise BadIdToken("not_yet_valid")
    if expires <= now - LEEWAY_SECONDS:
        raise BadIdToken("expired")


def _instant(claims: Any, name: str) -> float:
    value = claims.get(name)
    # `type`, because True is an int to isinstance; NaN is below and above nothing.
    if type(value) not in (int, float) or not 0 <= value < 1e11:
        raise BadIdToken("missing_claim")
    return float(value)


def sign_in(session: Session, signin: Signin, login: Login, client: SignInClient) -> TokenResponse:
    """A session of the account that an administrator has linked with the login, once for each nonce."""
    account, link = _account_of(session, login)
    row = {"digest": digest(login.nonce), "expires_at": login.nonce_expires_at}
    if not insert_new(session, UsedNonce, [row], returning="digest"):
        raise refused(BadIdToken("used"))
    if account.status is AccountStatus.invited:
        account.status = AccountStatus.active
        session.flush()
    who = SignedIn(account.id, AccountKind.person, by_code=False, new_hash=None, key_id=link.id)
    return sessions.open_session(session, signin, who, client)


def _account_of(session: Session, login: Login) -> tuple[Account, ExternalLogin]:
    """Both held: who unlinks, or shuts the account, has held the account first."""
    mine = select(ExternalLogin).where(
        col(ExternalLogin.issuer) == login.issuer, col(ExternalLogin.subject) == login.subject
    )
    before = session.exec(mine).one_or_none()
    account = before and session.get(Account, before.account_id, with_for_update=True)
    # Unlinked while this waited for the account.
    link = session.exec(mine.execution_options(populate_existing=True)).one_or_none()
    if not account or link is None or link.account_id != account.id:
        shown = {"error": "invalid_grant", "issuer": login.issuer, "subject": login.subject}
        raise Problem("external_login_unknown", subject=login.subject, extra=shown)
    if account.status is AccountStatus.disabled:
        raise refused(BadIdToken("account_disabled"))
    return account, link


def forget_used(session: Session) -> int:
    """Nonces that would be refused anyway."""
    over = sa.delete(UsedNonce).where(col(UsedNonce.expires_at) < utc_now())
    return session.connection().execute(over).rowcount
