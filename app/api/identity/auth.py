"""Signing in and out (OAuth2, RFC 6749 and 7009), and one's own sign-in sessions."""

from base64 import b64decode
from contextlib import nullcontext
from functools import partial
from typing import Annotated
from urllib.parse import unquote_plus
from uuid import UUID

from fastapi import Form, Path, Request, Response
from fastapi.security.utils import get_authorization_scheme_param
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.context import origin
from app.api.http.deps import ActorDep
from app.api.http.endpoints import in_thread
from app.api.http.problems import problem_answer, problem_response
from app.api.http.routing import Router
from app.api.http.server import address_of, server_of
from app.api.identity import oidc
from app.db import Database
from app.errors import Problem, invalid
from app.models.base import Names, line
from app.models.kernel.accounts import AccountKind
from app.models.kernel.sessions import GrantType, SessionList, TokenResponse
from app.security.id_tokens import ID_TOKEN_CHARS
from app.services.identity import credentials, external_sign_in, refreshing, sessions, usage
from app.services.identity.credentials import Claimed, SignedIn, WaysIn
from app.services.identity.lockout import Source
from app.services.identity.refreshing import Presented
from app.services.identity.sessions import SignInClient
from app.services.identity.signin import Signin
from app.services.kernel import changes
from app.services.kernel.networks import AllowedNetworks

public = Router(prefix="/v1/auth", tags=["auth"], public=True)
router = Router(prefix="/v1/auth", tags=["auth"])
_ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105  # RFC 8693's name
SessionPath = Annotated[UUID, Path(description="Id of the session.")]


class FormBody(BaseModel):
    """A form: no field that is not asked for, and no NUL, which PostgreSQL cannot store."""

    model_config = ConfigDict(extra="forbid")

    @field_validator("*")
    @classmethod
    def _no_nul(cls, value: object) -> object:
        if isinstance(value, str) and "\0" in value:
            raise ValueError("nul_character")
        return value


# At least 128 random bits, in base64url, hexadecimal or as a UUID.
Nonce = Annotated[
    str, StringConstraints(min_length=22, max_length=200, pattern=r"^[A-Za-z0-9_-]+$")
]


class TokenForm(FormBody):
    """What each `grant_type` needs: `password`: username, password (and the device's last
    refresh_token and device_id, if there are such); `refresh_token`: refresh_token (and a fresh
    nonce that was stored before); `client_credentials`: client_id, client_secret (or HTTP Basic);
    `urn:ietf:params:oauth:grant-type:token-exchange`: subject_token (the id_token of a provider), subject_token_type
    (`urn:ietf:params:oauth:token-type:id_token`), nonce_proof (and the device's device_id). `scope` is taken and ignored: a
    token always carries all rights of its account.
    """

    grant_type: GrantType
    username: Annotated[str, Field(max_length=200)] | None = None
    password: Annotated[str, Field(max_length=2000)] | None = None
    refresh_token: Annotated[str, Field(max_length=500)] | None = None
    client_id: Annotated[str, Field(max_length=200)] | None = None
    client_secret: Annotated[str, Field(max_length=500)] | None = None
    scope: Annotated[str, Field(max_length=2000)] | None = None
    nonce: Nonce | None = None
    subject_token: Annotated[str, Field(max_length=ID_TOKEN_CHARS)] | None = None
    subject_token_type: Annotated[str, Field(max_length=200)] | None = None
    nonce_proof: Annotated[str, Field(max_length=200)] | None = None
    device: Annotated[str, *line(120, 0)] | None = None
    device_id: Annotated[UUID, Names("device", anywhere=True)] | None = None


class RevokeForm(FormBody):
    token: Annotated[str, Field(max_length=5000)]
    token_type_hint: Annotated[str, Field(max_length=50)] | None = None


@public.post("/token", response_model=TokenResponse, responses={401: problem_response()})
async def sign_in(
    database: Database, request: Request, form: Annotated[TokenForm, Form()]
) -> Response:
    """Get an access token (15 minutes) and a refresh token (rotated on each use).

    A refresh token used twice is taken for stolen: its session ends on every device holding it. Only
    with the same `nonce` is it answered with the same pair again, until one of its tokens is seen.
    A one-time code goes in `password`: it opens the way to POST /v1/me/password only.
    With a password, `refresh_token` may be the last one of this device, though it is good no longer:
    a device that was signed in before is not locked out when strangers guess at its account.
    """
    signin = server_of(request).signin
    address = address_of(request)
    await in_thread(partial(signin.lockout.count_attempt, address))
    if form.grant_type is GrantType.refresh_token:
        token = _needed(form.refresh_token, "refresh_token")
        presented = Presented(token, form.nonce, signin.lockout.source(address).network)
        return await in_thread(partial(_refreshed, database, signin, presented))
    if form.grant_type is GrantType.token_exchange:
        return await _exchanged(database, request, form)
    given = _given(request, form)
    source = signin.lockout.source(address, form.refresh_token)
    is_person = given.kind is AccountKind.person
    with signin.hashing.place() if is_person else nullcontext():
        account = await in_thread(partial(_tried, database, signin, given, source))
        who = await credentials.check_credentials(signin, account, given)
    if account is not None and not is_person:
        _ensure_program_may(request, account, who)
    client = _client_of(request, form)
    answer = await in_thread(partial(_opened, database, signin, who, client))
    name = credentials.name_of(account, kind=given.kind, username=given.username)
    await in_thread(partial(signin.lockout.succeeded, name, source))
    return _tokens(answer)


async def _exchanged(database: Database, request: Request, form: TokenForm) -> Response:
    """The token of a provider for one of ours (RFC 8693)."""
    signin = server_of(request).signin
    token = _needed(form.subject_token, "subject_token")
    if _needed(form.subject_token_type, "subject_token_type") != _ID_TOKEN:
        raise invalid("not_in_list", "/subject_token_type", allowed=[_ID_TOKEN])
    proof = _needed(form.nonce_proof, "nonce_proof")
    login = await oidc.threads.run(partial(external_sign_in.verified, signin, token, proof))
    client = _client_of(request, form)

    def opened() -> TokenResponse:
        with database.writing() as session:
            changes.attribute(session, origin(None))
            return external_sign_in.sign_in(session, signin, login, client)

    return _tokens(await in_thread(opened))


def _client_of(request: Request, form: TokenForm) -> SignInClient:
    agent = request.headers.get("user-agent", "")[:200] or None
    network = server_of(request).signin.lockout.source(address_of(request)).network
    return SignInClient(form.device, agent, form.device_id, network)


def _ensure_program_may(request: Request, account: WaysIn, who: SignedIn) -> None:
    """The program comes from where it may; how often it asked for a token is counted."""
    address = address_of(request)
    networks = AllowedNetworks.of(account.networks)
    is_there = networks is None or networks.have(address)
    meter = server_of(request).usage
    meter.note(account.id, who.key_id, usage.SIGN_IN, address, refused=not is_there)
    if not is_there:
        raise Problem("network_not_allowed", address=address)


def _refreshed(database: Database, signin: Signin, presented: Presented) -> Response:
    with database.writing() as session:
        answer = refreshing.refresh(session, signin, presented)
    if isinstance(answer, Problem):
        return problem_answer(answer)
    return _tokens(answer)


def _tried(database: Database, signin: Signin, given: Claimed, source: Source) -> WaysIn | None:
    """The account of a name, and one attempt counted; 429 when it is one too many."""
    kind, username = given.kind, given.username
    account = database.read_primary(
        lambda db: credentials.find_ways_in(db, kind=kind, username=username, source=source)
    )
    name = credentials.name_of(account, kind=kind, username=username)
    signin.lockout.try_once(name, source, known=account is not None and account.known)
    return account


def _opened(
    database: Database, signin: Signin, who: SignedIn, client: SignInClient
) -> TokenResponse:
    with database.writing() as session:
        return sessions.open_session(session, signin, who, client)


def _given(request: Request, form: TokenForm) -> Claimed:
    if form.grant_type is GrantType.client_credentials:
        username, secret = _client(request, form)
        return Claimed(AccountKind.client, credentials.typed(username), secret)
    username, secret = _needed(form.username, "username"), _needed(form.password, "password")
    return Claimed(AccountKind.person, credentials.typed(username), secret)


def _tokens(answer: TokenResponse) -> Response:
    headers = {"Cache-Control": "no-store"}  # RFC 6749, 5.1
    return Response(answer.model_dump_json(), 200, headers, "application/json")


def _client(request: Request, form: TokenForm) -> tuple[str, str]:
    scheme, value = get_authorization_scheme_param(request.headers.get("authorization"))
    if scheme.lower() == "basic":
        try:
            name, _, secret = b64decode(value, validate=True).decode().partition(":")
        except ValueError as error:
            raise Problem("bad_credentials", extra={"error": "invalid_client"}) from error
        return unquote_plus(name), unquote_plus(secret)  # RFC 6749, 2.3.1
    return _needed(form.client_id, "client_id"), _needed(form.client_secret, "client_secret")


def _needed(value: str | None, name: str) -> str:
    if not value:
        raise invalid("required", f"/{name}")
    return value


@public.post("/revoke", response_class=Response)
def revoke(session: Session, request: Request, form: Annotated[RevokeForm, Form()]) -> Response:
    """Sign out: end the session of a refresh or access token. Unknown tokens are no error."""
    sessions.revoke_token(session, server_of(request).signin, form.token)
    return Response(status_code=200)


@router.get("/sessions", response_model=SessionList, before_password=True)
def list_sessions(db: Connection, actor: ActorDep) -> SessionList:
    """Where I am signed in."""
    return sessions.list_sessions(db, actor)


@router.delete("/sessions", status_code=204, before_password=True)
def end_all_sessions(session: Session, actor: ActorDep, request: Request) -> None:
    """End all my sign-in sessions, this one too."""
    sessions.end_all_sessions(session, server_of(request).signin, actor)


@router.delete("/sessions/{session_id}", status_code=204)
def end_session(
    session: Session, actor: ActorDep, request: Request, session_id: SessionPath
) -> None:
    """End one of my sign-in sessions."""
    sessions.end_session(session, server_of(request).signin, actor, session_id)
