"""What sign-in works with in one running server: keys, hasher, limits, verified tokens."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, IPv6Network, ip_address
from uuid import UUID

from app.config import Settings
from app.errors import Problem, invalid
from app.security import BadToken, Busy, Keyring, PasswordHasher, UnusablePassword, VerifiedTokens
from app.services.kernel.access import Actor
from app.services.kernel.limits import Limit, Limits


@dataclass(frozen=True, slots=True)
class AccessClaims:
    account_id: UUID
    session_id: UUID
    expires_at: datetime


class Signin:
    """Keys, hasher, limits and the cache of verified tokens."""

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
        """Every attempt counts against its address: 429 above the limit."""
        self.limits.spend(self._attempts, _network(address))

    def check_lockout(self, username: str) -> None:
        """Failures lock the name, known or not, so that a lock does not reveal which exist."""
        self.limits.check(self._failures, username)

    def count_failure(self, username: str) -> None:
        self.limits.count(self._failures, username)

    def unlock(self, username: str) -> None:
        """Forget the failures of an account: the officer who reset it vouches for the next
        attempts.
        """
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
    """The key under which an address is counted: in IPv6 a home has a whole /64 to choose from."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return address
    return str(found.ipv4_mapped or IPv6Network((int(found) >> 64 << 64, 64)))


# -- passwords
