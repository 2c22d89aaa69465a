"""Ids that were merged away: each finds the record that was kept, for ever."""

from collections.abc import Collection
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from app.db import chunks
from app.models.duplicates.merges import Merge, MergeState
from app.models.kernel.access import Right
from app.models.members.members import Member
from app.services.kernel.access import Actor, Db
from app.services.kernel.named import seen_rows

_KEPT = sa.select(col(Merge.kept_id)).where(
    col(Merge.gone_id) == sa.bindparam("gone"), col(Merge.state) == MergeState.merged
)
_PLACE = sa.select(col(Member.province_id), col(Member.commune_id), col(Member.branch_id)).where(
    col(Member.id) == sa.bindparam("member_id")
)


def kept_of(db: Db, member_id: UUID) -> UUID | None:
    """The record that this id went into, however often that was merged on; None: into none.

    It ends: a record that was merged away is in no later merge.
    """
    found: UUID | None = None
    step = db.execute(_KEPT, {"gone": member_id}).scalar_one_or_none()
    while step is not None:
        found = step
        step = db.execute(_KEPT, {"gone": found}).scalar_one_or_none()
    return found


def kept_of_many(db: Db, member_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """The same for many ids, those that were merged away."""
    found: dict[UUID, UUID] = {}
    wanted = sorted(member_ids)
    for chunk in chunks(wanted):
        gone = sa.select(col(Merge.gone_id)).where(
            col(Merge.gone_id).in_(chunk), col(Merge.state) == MergeState.merged
        )
        for member_id in db.execute(gone).scalars():
            if (kept := kept_of(db, member_id)) is not None:
                found[member_id] = kept
    return found


def seen_kept_of_many(db: Db, actor: Actor, member_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """As `kept_of_many`, as far as the actor sees the records that were kept."""
    found = ((id_, seen_kept_of(db, actor, id_)) for id_ in kept_of_many(db, member_ids))
    return {id_: kept for id_, kept in found if kept is not None}


def seen_kept_of(db: Db, actor: Actor, member_id: UUID) -> UUID | None:
    """As `kept_of`, for who sees the record that was kept; to others the id never was."""
    kept = kept_of(db, member_id)
    if kept is None:
        return None
    place = db.execute(_PLACE, {"member_id": kept}).one_or_none()
    return kept if place is not None and actor.covers(Right.members_read, place) else None


def seen(db: Db, actor: Actor, member_ids: Collection[UUID]) -> set[UUID]:
    """Those of these ids that are of a member the actor sees, or were merged into one."""
    found = seen_rows(db, actor, Member, Right.members_read, member_ids)
    others = [each for each in member_ids if each not in found]
    return found | {each for each in others if seen_kept_of(db, actor, each) is not None}


def former_ids(db: Db, member_id: UUID) -> tuple[UUID, ...]:
    """Every id that was merged into this one, at once or by way of another."""
    found: list[UUID] = []
    level = [member_id]
    while level:
        statement = sa.select(col(Merge.gone_id)).where(
            col(Merge.kept_id).in_(level), col(Merge.state) == MergeState.merged
        )
        level = list(db.execute(statement).scalars())
        found += level
    return tuple(found)
