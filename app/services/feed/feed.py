"""Pages of the feed: what has happened in the units of a reader since a place in the log."""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from sqlalchemy.engine import Connection

from app.db import on_sqlite, one_moment
from app.models.feed.events import FeedQuery
from app.models.kernel.access import Right
from app.models.kernel.following import FollowQuery
from app.services.audit.walks import KindsOfUnits, places_of_kinds
from app.services.feed.telling import Teller
from app.services.kernel.access import Actor, forbidden, require_somewhere
from app.services.kernel.actors import reach_of
from app.services.kernel.following import Following, epochs
from app.services.kernel.manifest import manifest
from app.services.kernel.reach import Reach
from app.services.units.units import find_filter

# Units with all below them, and the rights held there.
Reaches = Mapping[Reach, frozenset[Right]]


def page(db: Connection, actor: Actor, query: FeedQuery) -> dict[str, Any]:
    """A `FeedPage`; 409 `start_over` when the follower cannot go on from its place."""
    ensure_readable(db, actor, query.kinds)
    with one_moment(db):
        reaches = reaches_of(db, actor, query.unit)
        newest = Following.of(db, FollowQuery(after=query.after, epoch=query.epoch)).newest
        kinds = by_units(query.kinds or manifest().news, reaches)
        unread = places_of_kinds(kinds, sqlite=on_sqlite(db))
        places = db.execute(unread((query.after,), query.limit)).all()
        teller = Teller(db, actor, tuple(reaches), f"urn:uuid:{epochs(db)[0].id}")
        items = teller.events(places)
    more = len(places) == query.limit
    return {
        "items": items,
        "seq": places[-1].seq if more else newest.seq,
        "epoch": newest.epoch,
        "more": more,
        "passed_over": teller.passed_over,
        "scope": scope_of(actor),
    }


def ensure_readable(db: Connection, actor: Actor, kinds: Sequence[str]) -> None:
    """403 for each kind asked for whose right is held nowhere; of all, when none is held."""
    entities = manifest().by_entity
    for kind in kinds:
        require_somewhere(db, actor, entities[kind][1].read_right)
    if not any(actor.reach(entities[kind][1].read_right) for kind in manifest().news):
        raise forbidden(db, actor, Right.members_read, None)


def reaches_of(db: Connection, actor: Actor, unit_id: int | None) -> Reaches:
    """The units of the actor, each with the rights held there; with a unit, what they have in common
    with that."""
    if unit_id is None:
        held = [(grant.reach, grant.rights) for grant in actor.grants]
    else:
        unit = find_filter(db, actor, unit_id, pointer="/unit")
        wanted = reach_of(db, unit)
        shared = [(grant.common(wanted, unit), grant.rights) for grant in actor.grants]
        held = [(reach, rights) for reach, rights in shared if reach is not None]
    found: dict[Reach, frozenset[Right]] = {}
    for reach, rights in held:
        found[reach] = found.get(reach, frozenset()) | rights
    return found


def by_units(kinds: Iterable[str], reaches: Reaches) -> KindsOfUnits:
    """Kinds by the units in which the actor reads them: of others nothing is read, so that nobody
    counts them."""
    found: dict[tuple[Reach, ...], list[str]] = {}
    for kind in kinds:
        right = manifest().by_entity[kind][1].read_right
        units = tuple(reach for reach, rights in reaches.items() if right in rights)
        found.setdefault(units, []).append(kind)
    found.pop((), None)
    return found


def scope_of(actor: Actor) -> str:
    """A print of the units of an actor, with the rights that decide about what followers read."""
    tracked = [manifest().by_entity[entity][1] for entity in manifest().news]
    deciding = {right for each in tracked for right in (each.read_right, *each.masks.values())}
    held = sorted(
        (
            grant.unit_id,
            sorted(grant.former),
            sorted(grant.communes),
            sorted(grant.rights & deciding),
        )
        for grant in actor.grants
    )
    return sha256(repr(held).encode()).hexdigest()[:16]
