"""Webhooks: where events are sent, and what became of them."""

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.conditional import entity, expected_revisions
from app.api.http.context import origin
from app.api.http.deps import ActorDep
from app.api.http.endpoints import in_thread
from app.api.http.paging import STREAMED, listing
from app.api.http.problems import problem_response
from app.api.http.routing import Router
from app.api.http.threads import Threads
from app.db import Database
from app.json_values import json_bytes
from app.models.webhooks.attempts import (
    WebhookAttemptPage,
    WebhookAttemptQuery,
    WebhookAttemptRead,
)
from app.models.webhooks.endpoints import (
    WebhookCreate,
    WebhookPage,
    WebhookQuery,
    WebhookRead,
    WebhookReplay,
    WebhookRotation,
    WebhookShown,
    WebhookSkip,
    WebhookUpdate,
)
from app.services.webhooks import acts, endpoints, pinging, reading

router = Router(prefix="/v1/webhooks", tags=["webhooks"])
WebhookPath = Annotated[UUID, Path(description="Id of the webhook.")]
_SECRETS = ("secret",)
# Who answers takes up to ten seconds: all other requests would wait.
_threads = Threads(4, "ping")


@router.get("", response_model=WebhookPage, responses=STREAMED)
def list_webhooks(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[WebhookQuery, Query()]
) -> Response:
    """My own webhooks, and those of the programs in my scope, the newest first."""
    return listing(request, db, query, WebhookRead, reading.list_webhooks(actor, query))


@router.post(
    "",
    status_code=201,
    response_model=WebhookShown,
    responses={200: {"model": WebhookShown, "description": "Made by this very request before."}},
)
def create_webhook(
    session: Session, actor: ActorDep, request: Request, body: WebhookCreate
) -> Response:
    """Have events sent to an address as they happen (standardwebhooks.com), by the rights of a program:
    it makes its own, or who may reset its secret makes one for it. The answer alone shows `secret`.
    Each POST has one event in the body as `GET /v1/feed` tells it, with the `epoch` of its place.
    2xx takes it. Anything else, and it comes again for 3 days, under the same `webhook-id`.
    """
    shown, is_new = endpoints.create(session, actor, body)
    return entity(
        request,
        shown,
        status=201 if is_new else 200,
        location=f"/v1/webhooks/{shown.id}",
        shown_once=_SECRETS,
        derived=True,
    )


@router.get("/{webhook_id}", response_model=WebhookRead)
def get_webhook(
    db: Connection, actor: ActorDep, request: Request, webhook_id: WebhookPath
) -> Response:
    """How far a webhook has come, and what it waits for."""
    return entity(request, reading.get_webhook(db, actor, webhook_id), derived=True)


@router.patch("/{webhook_id}", response_model=WebhookRead)
def update_webhook(
    session: Session,
    actor: ActorDep,
    request: Request,
    webhook_id: WebhookPath,
    body: WebhookUpdate,
) -> Response:
    """Another address, or other events: holds for all that was not sent yet."""
    expected = expected_revisions(request)
    changed = endpoints.update(session, actor, webhook_id, body, expected)
    return entity(request, changed, derived=True)


@router.delete("/{webhook_id}", status_code=204)
def delete_webhook(session: Session, actor: ActorDep, webhook_id: WebhookPath) -> None:
    """Nothing is sent there any more. Its tries are deleted with it."""
    endpoints.delete(session, actor, webhook_id)


@router.post("/{webhook_id}/pause", response_model=WebhookRead)
def pause_webhook(
    session: Session, actor: ActorDep, request: Request, webhook_id: WebhookPath
) -> Response:
    """Nothing is sent until it is resumed; then it goes on where it stands."""
    return entity(request, acts.pause(session, actor, webhook_id), derived=True)


@router.post("/{webhook_id}/resume", response_model=WebhookRead)
def resume_webhook(
    session: Session, actor: ActorDep, request: Request, webhook_id: WebhookPath
) -> Response:
    """Go on where it stands, by the rights that its program has now. What waits is tried at once."""
    return entity(request, acts.resume(session, actor, webhook_id), derived=True)


@router.post("/{webhook_id}/skip", response_model=WebhookRead)
def skip_webhook_events(
    session: Session,
    actor: ActorDep,
    request: Request,
    webhook_id: WebhookPath,
    body: WebhookSkip,
) -> Response:
    """Send nothing up to `through`: of an event that the receiver never takes. The change log says who
    decided so. `x-prev-seq` of the next event is a place that the receiver has not had: it sees the gap.
    """
    return entity(request, acts.skip(session, actor, webhook_id, body), derived=True)


@router.post("/{webhook_id}/replay", response_model=WebhookRead)
def replay_webhook_events(
    session: Session,
    actor: ActorDep,
    request: Request,
    webhook_id: WebhookPath,
    body: WebhookReplay,
) -> Response:
    """Send again what was sent before, in its order and under the same ids, then go on. By the rights of
    now; `x-prev-seq` of the first is `from_seq` less one. One replay at a time.
    """
    return entity(request, acts.replay(session, actor, webhook_id, body), derived=True)


@router.post("/{webhook_id}/secrets", status_code=201, response_model=WebhookShown)
def rotate_webhook_secret(
    session: Session,
    actor: ActorDep,
    request: Request,
    webhook_id: WebhookPath,
    body: WebhookRotation,
) -> Response:
    """A new secret, shown this once. For `overlap_hours` events have the signatures of both, separated by
    a space, the new one first.
    """
    shown = acts.rotate(session, actor, webhook_id, body)
    return entity(request, shown, status=201, shown_once=_SECRETS, derived=True)


@router.post(
    "/{webhook_id}/ping", response_model=WebhookAttemptRead, responses={429: problem_response()}
)
async def ping_webhook(database: Database, actor: ActorDep, webhook_id: WebhookPath) -> Response:
    """Send an event of the type `webhook.ping` now, and say what the receiver answers. It has no place:
    neither `x-seq` nor `x-prev-seq`.
    """
    work = partial(pinging.ping, database, actor, origin(actor), webhook_id)
    attempt = await in_thread(work, _threads)
    return Response(json_bytes(attempt.model_dump()), media_type="application/json")


@router.get("/{webhook_id}/attempts", response_model=WebhookAttemptPage, responses=STREAMED)
def list_webhook_attempts(
    db: Connection,
    actor: ActorDep,
    request: Request,
    webhook_id: WebhookPath,
    query: Annotated[WebhookAttemptQuery, Query()],
) -> Response:
    """Each try to send an event, the newest first; kept for 30 days."""
    found = reading.list_attempts(db, actor, webhook_id, query)
    return listing(request, db, query, WebhookAttemptRead, found)
