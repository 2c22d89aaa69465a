"""Who may try a password: guesses are counted before they are checked, so that none is too many.

A name that somebody guesses at stays open for its owner: what is counted for the name alone is
counted against networks and devices that have never signed in under it.
"""

import hmac
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network, ip_address

from app.config import Settings
from app.models.kernel.accounts import AccountKind
from app.security.secret_texts import digest
from app.services.kernel.limits import Limit, RateLimits


@dataclass(frozen=True, slots=True)
class Source:
    """Where an attempt comes from: its network and, on a device that was signed in, the digest of
    the last refresh token it got."""

    network: str
    token_digest: str | None = None


@dataclass(frozen=True, slots=True)
class TriedName:
    """A name that is tried. `issued` is what an officer gave out for it last: guesses at what it
    replaced count no longer."""

    kind: AccountKind
    username: str
    issued: str = ""


class Lockout:
    """Counts attempts in the storage of the limits: exactly, in all processes that share it."""

    def __init__(self, settings: Settings, limits: RateLimits, key: bytes) -> None:
        self._limits = limits
        self._key = key
        self._attempts = Limit.of_setting(
            "address", settings.login_attempts_per_address, "LOGIN_ATTEMPTS_PER_ADDRESS"
        )
        self._failures = Limit.of_setting(
            "account", settings.login_failures_per_account, "LOGIN_FAILURES_PER_ACCOUNT"
        )
        self._strangers = Limit.of_setting(
            "stranger", settings.login_strangers_per_account, "LOGIN_STRANGERS_PER_ACCOUNT"
        )

    def source(self, address: str, refresh_token: str | None = None) -> Source:
        """Networks are distinguished by a keyed digest: where somebody was is stored nowhere."""
        network = hmac.digest(self._key, network_of(address).encode(), "sha256").hex()[:32]
        return Source(network, digest(refresh_token) if refresh_token else None)

    def count_attempt(self, address: str) -> None:
        """Every attempt counts against its address: 429 above the limit."""
        self._limits.spend(self._attempts, network_of(address))

    def try_once(self, name: TriedName, source: Source, *, known: bool) -> None:
        """Count one attempt, before it is checked; 429 when it is one too many.

        `known`: this network or device has signed in under this name before. Names that do not
        exist are counted alike, so that a lock does not reveal which do.
        """
        self._limits.spend(self._failures, _pair(name, source))
        if not known:
            self._limits.spend(self._strangers, _alone(name))

    def succeeded(self, name: TriedName, source: Source) -> None:
        """It was right: what failed before, here, was its owner's."""
        for each in {name.issued, ""}:
            self._limits.forget(
                self._failures, _pair(TriedName(name.kind, name.username, each), source)
            )

    def unlock(self, name: TriedName) -> None:
        """Strangers' failures are forgotten: the officer who reset the account vouches for the next
        attempts."""
        self._limits.forget(self._strangers, _alone(name))


def _alone(name: TriedName) -> str:
    return f"{name.kind}/{name.username}"


def _pair(name: TriedName, source: Source) -> str:
    return f"{name.kind}/{source.network}/{name.issued}/{name.username}"


def network_of(address: str) -> str:
    """The key under which an address is counted: in IPv6 a home has a whole /64 to choose from."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return address
    return str(found.ipv4_mapped or IPv6Network((int(found) >> 64 << 64, 64)))
