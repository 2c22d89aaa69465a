"""Providers of OpenID Connect by which officers may sign in, as the settings name them."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

_LOCAL = frozenset({"127.0.0.1", "::1", "localhost"})


class OidcProvider(BaseModel):
    """`issuer` as it names itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: Annotated[str, Field(max_length=300)]
    client_id: Annotated[str, Field(min_length=1, max_length=200)]
    name: Annotated[str, Field(min_length=1, max_length=80)]
    scopes: Annotated[str, Field(pattern=r"^openid( [!-~]+)*$", max_length=200)] = "openid"


def is_provider_url(value: str, *, local: bool) -> bool:
    """https, without a user and a fragment; `local`: also plain HTTP at this very machine."""
    try:
        url = urlsplit(value)
        is_whole = bool(url.hostname) and url.port != 0 and "#" not in value
    except ValueError:
        return False
    is_local = local and url.scheme == "http" and url.hostname in _LOCAL
    has_user = "@" in url.netloc
    plain = value.isascii() and value.isprintable() and " " not in value
    return is_whole and plain and not has_user and (url.scheme == "https" or is_local)
