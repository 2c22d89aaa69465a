"""The people of a branch that is merged or split: they go on in another one, which is no transfer.

The past stays: who was in the branch until its last day was in that branch. The statements are of
all people at once, and each has her changes in the log.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import utc_now
from app.db import chunks, insert_many
from app.models.base import new_id
from app.models.members.members import Member
from app.models.members.spells import Joined, Left, Membership
from app.services.kernel import changes, provinces
from app.services.members import facts_of_days
from app.services.members.scope import SPELLS
from app.services.members.spells import DAY
from app.services.units.followers import Handover, changed_since
from app.services.units.rows import unit_of
from app.services.units.tree import place_of

_SPELL = [getattr(Membership, name) for name in Membership.model_fields]
_LASTS = sa.and_(col(Membership.valid_to).is_(None), col(Membership.annulled_at).is_(None))
_Rows = list[dict[str, Any]]


def hand_over(session: Session, handover: Handover) -> None:
    """Who is in the union goes on in the other branch; who has left it left the old one."""
    _hold_people(session, handover.from_ids)
    ended = _spells(session, col(Membership.branch_id).in_(handover.from_ids), _LASTS)
    if handover.only is not None:
        ended = [spell for spell in ended if spell["member_id"] in handover.only.member_ids]
    last = {
        "valid_to": handover.since - DAY,
        "left_by": Left.reorganisation,
        "to_branch_id": handover.to_id,
    }
    _revise(session, ended, last)
    _go_on(session, ended, handover)
    _stand_in(session, [spell["member_id"] for spell in ended], handover.to_id)
    facts_of_days.follow(session, handover, SPELLS)


def hand_back(session: Session, handover: Handover, _: None) -> None:
    """Who has come and is still there stands where she came from; 409 when one is not, or when a spell
    was annulled since: it is of another record of her then, which may stand elsewhere."""
    _hold_people(session, [handover.to_id])
    came = _spells(
        session,
        col(Membership.branch_id) == handover.to_id,
        col(Membership.from_branch_id).in_(handover.from_ids),
        col(Membership.joined_by) == Joined.reorganisation,
        col(Membership.valid_from) == handover.since,
    )
    ended = _spells(
        session,
        col(Membership.branch_id).in_(handover.from_ids),
        col(Membership.to_branch_id) == handover.to_id,
        col(Membership.left_by) == Left.reorganisation,
        col(Membership.valid_to) == handover.since - DAY,
    )
    there = {spell["member_id"] for spell in came if spell["valid_to"] is None}
    annulled = any(spell["annulled_at"] for spell in (*came, *ended))
    if annulled or len(there) < len(came) or there != {spell["member_id"] for spell in ended}:
        raise changed_since("membership")
    changes.record_deleted(session, Membership, came)
    for chunk in chunks([spell["id"] for spell in came]):
        session.connection().execute(sa.delete(Membership).where(col(Membership.id).in_(chunk)))
    _revise(session, ended, dict.fromkeys(("valid_to", "left_by", "to_branch_id")))
    for branch_id in handover.from_ids:
        people = [spell["member_id"] for spell in ended if spell["branch_id"] == branch_id]
        _stand_in(session, people, branch_id)
    facts_of_days.follow(session, handover, SPELLS)


def _hold_people(session: Session, branch_ids: Sequence[int]) -> None:
    """Before their spells, in the order in which every writer locks them."""
    theirs = sa.select(col(Member.id)).where(col(Member.branch_id).in_(branch_ids))
    session.execute(theirs.order_by(col(Member.id)).with_for_update(key_share=True))


def _spells(session: Session, *which: sa.ColumnElement[bool]) -> _Rows:
    rows = session.connection().execute(
        sa.select(*_SPELL).where(*which).order_by(col(Membership.id)).with_for_update()
    )
    return [row._asdict() for row in rows]


def _revise(session: Session, spells: _Rows, values: Mapping[str, Any]) -> None:
    """The same values for all."""
    written = {**values, "updated_at": utc_now()}
    for chunk in chunks([spell["id"] for spell in spells]):
        session.connection().execute(
            sa.update(Membership)
            .where(col(Membership.id).in_(chunk))
            .values(**written, revision=col(Membership.revision) + 1)
        )
    changes.record_updated(
        session,
        Membership,
        [(spell, {**spell, **written, "revision": spell["revision"] + 1}) for spell in spells],
    )


def _go_on(session: Session, ended: _Rows, handover: Handover) -> None:
    heir, now = unit_of(session, handover.to_id), utc_now()
    rows = [
        dict.fromkeys(Membership.model_fields)
        | {
            "id": new_id(),
            "member_id": spell["member_id"],
            "branch_id": heir.id,
            "province_id": heir.province_id,
            "valid_from": handover.since,
            "joined_by": Joined.reorganisation,
            "from_branch_id": spell["branch_id"],
            "counted_from": spell["counted_from"],
            "revision": 1,
            "created_at": now,
            "updated_at": now,
        }
        for spell in ended
    ]
    insert_many(session, Membership, rows)
    changes.record_created(session, Membership, rows)


def _stand_in(session: Session, member_ids: Sequence[UUID], branch_id: int) -> None:
    """Their records name the branch, and what stands above it."""
    place = place_of(unit_of(session, branch_id))
    for chunk in chunks(member_ids):
        going = col(Member.id).in_(chunk)
        rows = changes.move_many(session, Member, going, place)
        provinces.follow_moved(session, Member, [branch_id], rows, place["province_id"])
