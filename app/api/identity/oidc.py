"""Signing in by an OpenID Connect provider: what an app has to know before."""

from fastapi import Request

from app.api.http.routing import Router
from app.api.http.server import server_of
from app.api.http.threads import Threads
from app.models.identity.external_logins import NonceRead, ProviderList, ProviderRead
from app.services.identity import external_sign_in
from app.services.identity.providers import RemoteProvider

public = Router(prefix="/v1/auth", tags=["auth"], public=True)
# A provider may be slow: no thread of the endpoints waits for it.
threads = Threads(2, "oidc")


@public.get("/providers", response_model=ProviderList)
async def list_providers(request: Request) -> ProviderList:
    """The providers by which an officer may sign in instead of a password, and where to send her.

    The app does code and PKCE with the provider, and hands its `id_token` in at POST /v1/auth/token.
    """
    remotes = server_of(request).signin.providers.by_issuer.values()
    return await threads.run(lambda: ProviderList(items=[_read(each) for each in remotes]))


def _read(remote: RemoteProvider) -> ProviderRead:
    known = remote.published()
    return ProviderRead(
        issuer=remote.provider.issuer,
        name=remote.provider.name,
        client_id=remote.provider.client_id,
        scopes=remote.provider.scopes,
        authorization_endpoint=None if known is None else known.authorization_endpoint,
        token_endpoint=None if known is None else known.token_endpoint,
    )


@public.post("/oidc/nonce", response_model=NonceRead)
async def create_nonce(request: Request) -> NonceRead:
    """A nonce for one sign-in by a provider, and the proof that this app has asked for it."""
    return external_sign_in.new_nonce(server_of(request).signin)
