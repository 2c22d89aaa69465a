"""OpenID Connect providers of the settings: what they publish of themselves, and their keys.

Fetched when it is needed and kept: keys for an hour, and for a day while the provider is away. A key
that is not known is looked for once a minute, and after a failure nothing is asked for ten seconds:
what strangers send makes us ask a provider no more often than that.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import urllib3

from app import logs
from app.config import Settings
from app.errors import Problem
from app.oidc_providers import OidcProvider, is_provider_url
from app.security.id_tokens import BadIdToken, IdKey, UnverifiedToken, keys_of

FRESH_SECONDS: Final = 3_600.0
STALE_SECONDS: Final = 86_400.0
UNKNOWN_KEY_SECONDS: Final = 60.0
FAILED_SECONDS: Final = 10.0
_MOST_BYTES: Final = 512_000
_LONGEST_SECONDS: Final = 8.0
_WELL_KNOWN: Final = "/.well-known/openid-configuration"
Fetch = Callable[[str], object]


class _Away(Exception):
    """The provider does not answer, or not as it should."""


@dataclass(frozen=True, slots=True)
class ProviderMetadata:
    """What a provider says of itself, and its keys."""

    authorization_endpoint: str
    token_endpoint: str
    keys: Sequence[IdKey]


class RemoteProvider:
    """One provider. For threads: while one of them asks, the others wait for what it gets."""

    def __init__(self, provider: OidcProvider, *, local: bool, fetch: Fetch | None = None) -> None:
        self.provider = provider
        self._local = local
        self._fetch = fetch or _fetched
        self._lock = threading.Lock()
        self._known: ProviderMetadata | None = None
        self._at = self._failed_at = self._looked_at = -STALE_SECONDS

    def published(self) -> ProviderMetadata | None:
        """None while the provider is away and was not heard from for a day."""
        with self._lock:
            return self._current(time.monotonic())

    def keys_for(self, token: UnverifiedToken) -> Sequence[IdKey]:
        """Keys that may have signed the token; 503 while there are none to be had."""
        with self._lock:
            now = time.monotonic()
            known = self._current(now)
            if known is not None and any(map(token.fits, known.keys)):
                return known.keys
            if known is not None and now - max(self._looked_at, self._at) >= UNKNOWN_KEY_SECONDS:
                self._looked_at = now
                known = self._asked(now)
            if known is None:
                raise Problem("provider_away", provider=self.provider.name, retry_after=10)
            return known.keys

    def _current(self, now: float) -> ProviderMetadata | None:
        if self._known is not None and now - self._at < FRESH_SECONDS:
            return self._known
        return self._asked(now)

    def _asked(self, now: float) -> ProviderMetadata | None:
        """What it says now; while it is away, what it said within a day."""
        if now - self._failed_at >= FAILED_SECONDS:
            try:
                self._known, self._at = self._ask(), now
            except _Away as error:
                self._failed_at = time.monotonic()
                logs.warning("provider_away", issuer=self.provider.issuer, error=str(error))
        return self._known if now - self._at < STALE_SECONDS else None

    def _ask(self) -> ProviderMetadata:
        found = self._json(self.provider.issuer.rstrip("/") + _WELL_KNOWN)
        if found.get("issuer") != self.provider.issuer:
            raise _Away("it names another issuer")
        urls = [self._url(found, f"{name}_endpoint") for name in ("authorization", "token")]
        try:
            keys = keys_of(self._json(self._url(found, "jwks_uri")))
        except ValueError as error:
            raise _Away(str(error)) from error
        return ProviderMetadata(urls[0], urls[1], keys)

    def _url(self, found: Mapping[str, Any], name: str) -> str:
        url = found.get(name)
        if not isinstance(url, str) or not is_provider_url(url, local=self._local):
            raise _Away(f"{name} is not https")
        return url

    def _json(self, url: str) -> Mapping[str, Any]:
        try:
            found = self._fetch(url)
        except (urllib3.exceptions.HTTPError, OSError, ValueError, RecursionError) as error:
            raise _Away(type(error).__name__) from error
        if not isinstance(found, dict):
            raise _Away("no JSON object")
        return found


def _fetched(url: str) -> object:
    """The JSON at an address: no redirect is followed, and nothing large or slow is read to its end."""
    until = time.monotonic() + _LONGEST_SECONDS
    with urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=3, read=5), retries=False, num_pools=1
    ) as pool:
        answer = pool.request("GET", url, redirect=False, preload_content=False)
        if answer.status != 200:
            raise ValueError(f"status {answer.status}")
        body = b""
        for part in answer.stream(16_384):
            body += part
            if len(body) > _MOST_BYTES or time.monotonic() > until:
                raise ValueError("too large or too slow")
        return json.loads(body)


class Providers:
    """Those of the settings, by issuer."""

    def __init__(self, settings: Settings) -> None:
        self.by_issuer = {
            each.issuer: RemoteProvider(each, local=settings.allows_local_providers)
            for each in settings.oidc_providers
        }

    def of(self, token: UnverifiedToken) -> RemoteProvider:
        """The provider that a token says it is from."""
        issuer = token.claims.get("iss")
        found = self.by_issuer.get(issuer) if isinstance(issuer, str) else None
        if found is None:
            raise BadIdToken("wrong_issuer")
        return found
