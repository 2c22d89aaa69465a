"""Sign-in: passwords, one-time codes, client secrets, sessions and their rotating tokens."""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, IPv6Network, ip_address
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import utc_now
from app.config import Settings
from app.errors import Problem, invalid, not_found
from app.models.kernel.accounts import Account, AccountKind, AccountStatus
from app.models.kernel.sessions import (
    AuthSession,
    RefreshToken,
    RevokedReason,
    SessionList,
    SignInSessionRead,
    TokenResponse,
)
from app.security import (
    BadToken,
    Busy,
    Keyring,
    PasswordHasher,
    UnusablePassword,
    VerifiedTokens,
    canonical_code,
    digest,
    new_secret,
)
from app.services.kernel.access import Actor, Db
from app.services.kernel.actors import grants_of
from app.services.kernel.limits import Limit, Limits


@dataclass(frozen=True, slots=True)
class SignInDevice:
    """What a client says of itself when it signs in."""

    name: str | None
    user_agent: str | None


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
class AccessClaims:
    account_id: UUID
    session_id: UUID
    expires_at: datetime


class Signin:
    """Keys, hasher, limits and the cache of verified tokens of one running server."""

    def __init__(self, settings: Settings, limits: Limits) -> None:
        self.settings = settings
        self.limits = limits
        self.keyring: Keyring = settings.keyring()
        self.hasher = PasswordHasher(
            memory_kib=settings.argon2_memory_kib,
            rounds=settings.argon2_rounds,
            parallelism=settings.argon2_parallelism,
            concurrency=settings.argon2_concurrency,
        )
        self.verified: VerifiedTokens[Actor] = VerifiedTokens()
        self._failures = Limit.of_setting(
            "account", settings.login_failures_per_account, "LOGIN_FAILURES_PER_ACCOUNT"
        )
        self._attempts = Limit.of_setting(
            "address", settings.login_attempts_per_address, "LOGIN_ATTEMPTS_PER_ADDRESS"
        )

    # -- access tokens

    def verify(self, token: str, now: datetime) -> AccessClaims:
        """The claims of an access token of ours, or `BadToken`."""
        claims = self.keyring.verify(
            token, issuer=self.settings.issuer, audience=self.settings.audience, now=now
        )
        try:
            return AccessClaims(UUID(claims.subject), UUID(claims.session_id), claims.expires_at)
        except ValueError as error:
            raise BadToken("missing_claim") from error

    def access_token(self, account_id: UUID, session_id: UUID, now: datetime) -> str:
        token, _ = self.keyring.issue(
            str(account_id),
            session_id=str(session_id),
            lifetime=timedelta(seconds=self.settings.access_token_seconds),
            issuer=self.settings.issuer,
            audience=self.settings.audience,
            now=now,
        )
        return token

    def forget(self, session_id: UUID | None = None, account_id: UUID | None = None) -> None:
        """Drop cached tokens at once in this process; other processes follow within seconds."""
        self.verified.drop(
            lambda actor: actor.session_id == session_id or actor.account_id == account_id
        )

    # -- limits

    def count_attempt(self, address: str) -> None:
        """Every attempt counts against its address: 429 beyond the limit."""
        self.limits.spend(self._attempts, _network(address))

    def check_lockout(self, username: str) -> None:
        """Failures lock the name, known or not, so that a lock does not tell which exist."""
        self.limits.check(self._failures, username)

    def count_failure(self, username: str) -> None:
        self.limits.count(self._failures, username)

    def unlock(self, username: str) -> None:
        """Forget the failures of an account: whoever reset it vouches for what comes next."""
        self.limits.forget(self._failures, username)

    # -- hashing, with its own kind of "busy"

    def check_password(self, password: str, hashed: str | None) -> tuple[bool, str | None]:
        try:
            check = self.hasher.verify(password, hashed)
        except Busy as error:
            raise _busy() from error
        return check.ok, check.new_hash

    def hash_password(self, password: str) -> str:
        try:
            return self.hasher.hash(password)
        except UnusablePassword as error:
            raise invalid("text_invalid", "/new_password") from error
        except Busy as error:
            raise _busy() from error


def _busy() -> Problem:
    return Problem("unavailable", retry_after=2)


def _network(address: str) -> str:
    """Whom an address stands for: in IPv6 one home has a whole /64 to choose from."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return address
    return str(found.ipv4_mapped or IPv6Network((int(found) >> 64 << 64, 64)))


# -- credentials


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


# -- sessions


def open_session(
    session: Session, signin: Signin, who: SignedIn, device: SignInDevice
) -> TokenResponse:
    """A new session on a device, with its first tokens. Clients get no refresh token."""
    if who.proof is not None:
        _ensure_unchanged(session, who.account_id, who.proof)
    now = utc_now()
    lifetime = timedelta(days=signin.settings.refresh_token_days)
    if who.kind is AccountKind.client:
        lifetime = timedelta(seconds=signin.settings.access_token_seconds)
    opened = AuthSession(
        account_id=who.account_id,
        device=device.name,
        user_agent=device.user_agent,
        must_change_password=who.by_code,
        created_at=now,
        last_used_at=now,
        expires_at=now + lifetime,
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
    refresh = None if who.kind is AccountKind.client else _new_refresh_token(session, opened, now)
    return _tokens(session, signin, opened, refresh, now)


def _ensure_unchanged(session: Session, account_id: UUID, proof: str | None) -> Account:
    """The account, locked. Nothing was locked while the password was hashed: it may be another
    one by now, or the account shut. Whoever is right will be right again in a second."""
    account = session.get_one(Account, account_id, with_for_update=True)
    ways_in = (account.password_hash, account.secret_digest, account.code_digest)
    if account.status is AccountStatus.disabled or proof not in ways_in:
        raise Problem("unavailable", retry_after=1)
    return account


def _new_refresh_token(session: Session, opened: AuthSession, now: datetime) -> str:
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


def _tokens(
    session: Session, signin: Signin, opened: AuthSession, refresh: str | None, now: datetime
) -> TokenResponse:
    grants = () if opened.must_change_password else grants_of(session, opened.account_id)
    rights = sorted({right.value for grant in grants for right in grant.rights})
    return TokenResponse(
        access_token=signin.access_token(opened.account_id, opened.id, now),
        token_type="Bearer",  # noqa: S106  # RFC 6750's name of a scheme
        expires_in=signin.settings.access_token_seconds,
        refresh_token=refresh,
        scope=" ".join(rights),
    )


def refresh(session: Session, signin: Signin, token: str) -> TokenResponse | None:
    """Rotate a refresh token. None = refused; a token used twice has then ended its session.

    Returning instead of raising: the revocation must be committed although the answer is 401.
    """
    now = utc_now()
    found = session.exec(
        select(RefreshToken, AuthSession, Account)
        .join(AuthSession, col(AuthSession.id) == col(RefreshToken.session_id))
        .join(Account, col(Account.id) == col(AuthSession.account_id))
        .where(col(RefreshToken.digest) == digest(token))
        # The token alone: who shuts an account locks it first and its sessions after.
        .with_for_update(of=RefreshToken)
    ).one_or_none()
    if found is None:
        return None
    presented, opened, account = found
    over = opened.revoked_at is not None or opened.expires_at <= now
    if over or account.status is AccountStatus.disabled:
        return None
    if presented.used_at is not None:
        _revoke(session, signin, opened, RevokedReason.refresh_reused)
        return None
    presented.used_at = now
    opened.last_used_at = now
    opened.expires_at = now + timedelta(days=signin.settings.refresh_token_days)
    session.flush()
    return _tokens(session, signin, opened, _new_refresh_token(session, opened, now), now)


def revoke_token(session: Session, signin: Signin, token: str) -> None:
    """RFC 7009: end the session of a refresh or access token; unknown tokens are no error."""
    session_id = session.exec(
        select(RefreshToken.session_id).where(col(RefreshToken.digest) == digest(token))
    ).one_or_none()
    if session_id is None:
        try:
            session_id = signin.verify(token, utc_now()).session_id
        except BadToken:
            return
    opened = session.get(AuthSession, session_id, with_for_update=True)
    if opened is not None and opened.revoked_at is None:
        _revoke(session, signin, opened, RevokedReason.signed_out)


def _revoke(session: Session, signin: Signin, opened: AuthSession, reason: RevokedReason) -> None:
    opened.revoked_at = utc_now()
    opened.revoked_reason = reason
    session.flush()
    signin.forget(session_id=opened.id)


def revoke_all(
    session: Session,
    signin: Signin,
    account_id: UUID,
    reason: RevokedReason,
    *,
    but: UUID | None = None,
) -> int:
    """End every open session of an account, except one; returns how many."""
    ended = _end_sessions(session, account_id, reason, but=but)
    signin.forget(account_id=account_id)
    return ended


def _end_sessions(
    session: Session, account_id: UUID, reason: RevokedReason, *, but: UUID | None = None
) -> int:
    opened = session.exec(
        select(AuthSession).where(
            col(AuthSession.account_id) == account_id, col(AuthSession.revoked_at).is_(None)
        )
    ).all()
    ended = [each for each in opened if each.id != but]
    for each in ended:
        each.revoked_at = utc_now()
        each.revoked_reason = reason
    session.flush()
    return len(ended)


def list_sessions(db: Db, actor: Actor) -> SessionList:
    """The devices on which the caller is signed in, the latest first."""
    rows = db.execute(
        sa.select(
            col(AuthSession.id),
            col(AuthSession.device),
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
    """Sign one of the caller's devices out."""
    opened = session.get(AuthSession, session_id, with_for_update=True)
    if opened is None or opened.account_id != actor.account_id or opened.revoked_at is not None:
        raise not_found()
    _revoke(session, signin, opened, RevokedReason.signed_out)


def end_all_sessions(session: Session, signin: Signin, actor: Actor) -> None:
    """Sign every device of the caller out, this one too."""
    revoke_all(session, signin, actor.account_id, RevokedReason.signed_out)


# -- shutting out


def shut_out(session: Session, account: Account) -> None:
    """Disable an account: no way in is left, and its sessions end."""
    account.status = AccountStatus.disabled
    account.code_digest = account.code_expires_at = None
    _end_sessions(session, account.id, RevokedReason.account_disabled)


# -- passwords


@dataclass(frozen=True, slots=True)
class Replacement:
    """The hash of a new password, and what the old one or the code matched."""

    new_hash: str
    proof: str | None


def check_replacement(
    signin: Signin, actor: Actor, account: WaysIn | None, *, current: str, new: str
) -> Replacement:
    """Whether the actor may set this password, by the old one or a one-time code.

    `account` is what `find_ways_in` found for the person of her name (a client is none). No
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
    """Housekeeping: drop sessions that ended over 30 days ago, with their tokens."""
    limit = utc_now() - timedelta(days=30)
    result = session.connection().execute(
        sa.delete(AuthSession).where(
            sa.or_(col(AuthSession.expires_at) < limit, col(AuthSession.revoked_at) < limit)
        )
    )
    return result.rowcount
