"""What sign-in works with in one running server: keys, hashing, lock-out, verified tokens."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from app.config import Settings
from app.errors import invalid
from app.security.passwords import PasswordHasher, UnusablePassword
from app.security.tokens import BadToken, Keyring, VerifiedTokens
from app.services.identity.hashing import HashingThreads
from app.services.identity.lockout import Lockout
from app.services.identity.providers import Providers
from app.services.kernel.access import Actor
from app.services.kernel.limits import RateLimits


@dataclass(frozen=True, slots=True)
class AccessClaims:
    account_id: UUID
    session_id: UUID
    token_id: str
    expires_at: datetime


class Signin:
    """Keys, hashing, lock-out and the cache of verified tokens."""

    def __init__(self, settings: Settings, limits: RateLimits) -> None:
        self.settings = settings
        self.keyring: Keyring = settings.keyring()
        self.hasher = PasswordHasher(
            memory_kib=settings.argon2_memory_kib,
            rounds=settings.argon2_rounds,
            parallelism=settings.argon2_parallelism,
        )
        self.hashing = HashingThreads(settings.argon2_concurrency, settings.argon2_waiting)
        self.verified: VerifiedTokens[Actor] = VerifiedTokens()
        self.providers = Providers(settings)
        self.lockout = Lockout(settings, limits, self.keyring.secret_for(b"network"))

    # -- access tokens

    def verify(self, token: str, now: datetime) -> AccessClaims:
        """The claims of an access token of ours, or `BadToken`."""
        claims = self.keyring.verify(
            token, issuer=self.settings.issuer, audience=self.settings.audience, now=now
        )
        try:
            account_id, session_id = UUID(claims.subject), UUID(claims.session_id)
        except ValueError as error:
            raise BadToken("missing_claim") from error
        return AccessClaims(account_id, session_id, claims.jti, claims.expires_at)

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

    # -- hashing

    async def check_password(self, password: str, hashed: str | None) -> tuple[bool, str | None]:
        check = await self.hashing.run(partial(self.hasher.verify, password, hashed))
        return check.ok, check.new_hash

    async def hash_password(self, password: str) -> str:
        try:
            return await self.hashing.run(partial(self.hasher.hash, password))
        except UnusablePassword as error:
            raise invalid("text_invalid", "/new_password") from error
