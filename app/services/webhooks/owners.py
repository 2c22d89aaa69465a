"""Whose webhooks they are: a program's, whose rights of now decide what is sent."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlmodel import Session, col

from app.db import settings_of
from app.errors import Problem, not_found
from app.models.kernel.access import Right
from app.models.kernel.accounts import AccountKind
from app.models.webhooks.endpoints import WebhookEndpoint
from app.services.accounts import accounts
from app.services.feed import feed
from app.services.kernel.access import Actor, Db
from app.services.kernel.actors import load_actor_of_job
from app.services.kernel.manifest import manifest
from app.services.units.units import find_filter

_ACCOUNT_OF = sa.select(col(WebhookEndpoint.account_id)).where(
    col(WebhookEndpoint.id) == sa.bindparam("endpoint_id")
)


def owner_of(db: Db, account_id: UUID, endpoint_id: UUID) -> Actor | None:
    """The program with its rights of now; None where it is disabled."""
    return load_actor_of_job(db, account_id, endpoint_id, None)


def hold_owner(session: Session, actor: Actor, account_id: UUID, *, gives: bool = True) -> None:
    """The actor may manage webhooks of this account, which is held: its own, or one that it may get into
    anyway. What `gives` nothing needs the right to manage it alone."""
    if account_id == actor.account_id:
        if actor.kind is not AccountKind.client:
            raise Problem("wrong_account_kind", kind=AccountKind.client)
        return
    account, _ = accounts.access_account(session, actor, account_id, Right.accounts_write)
    if account.kind is not AccountKind.client:
        raise Problem("wrong_account_kind", kind=AccountKind.client)
    if gives:
        accounts.ensure_holds_all(session, actor, account)


def hold_endpoint(
    session: Session, actor: Actor, endpoint_id: UUID, *, gives: bool = True
) -> WebhookEndpoint:
    """A webhook that the actor may manage, kept from all others until the commit."""
    account_id = session.execute(_ACCOUNT_OF, {"endpoint_id": endpoint_id}).scalar_one_or_none()
    is_own = account_id == actor.account_id
    if account_id is None or not (is_own or actor.reach(Right.accounts_read)):
        raise not_found()
    hold_owner(session, actor, account_id, gives=gives)
    endpoint = session.get(WebhookEndpoint, endpoint_id, with_for_update=True)
    if endpoint is None:
        raise not_found()
    return endpoint


def is_there(session: Session, endpoint_id: UUID) -> bool:
    """It was not taken away meanwhile, and is not before the commit."""
    found = _ACCOUNT_OF.with_for_update(key_share=True)
    return session.execute(found, {"endpoint_id": endpoint_id}).first() is not None


def ensure_follows(db: Connection, owner: Actor, unit_id: int | None, kinds: list[Any]) -> None:
    """The program may read what it is to be sent: 403 names a right that it lacks."""
    feed.ensure_readable(db, owner, kinds)
    if unit_id is not None:
        find_filter(db, owner, unit_id, pointer="/unit_id")


def rights_of(owner: Actor) -> dict[str, list[str]]:
    """By unit, the rights that decide about what a program is sent."""
    found: dict[str, set[str]] = {}
    deciding = _deciding()
    for grant in owner.grants:
        found.setdefault(str(grant.unit_id), set()).update(grant.rights & deciding)
    return {unit_id: sorted(rights) for unit_id, rights in sorted(found.items()) if rights}


def has_more(now: Mapping[str, list[str]], confirmed: Mapping[str, list[str]]) -> bool:
    """There are rights that nobody has confirmed the webhook with. Who set it up may have lacked them."""
    return any(set(rights) - set(confirmed.get(unit, ())) for unit, rights in now.items())


def _deciding() -> frozenset[Right]:
    tracked = [manifest().by_entity[entity][1] for entity in manifest().news]
    return frozenset(right for each in tracked for right in (each.read_right, *each.masks.values()))


def allowed_networks(db: Db) -> Any:
    return settings_of(db).webhook_allowed_networks
