"""Correcting what was entered wrongly: days of a spell, its reason, or that it ever was.

Neighbours stay consistent: the day of a transfer is one day, so it moves on both its spells.
What ended with a mistaken departure (posts, groups) is not begun again by its correction; what has
lost its ground by one ends.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import local_today
from app.errors import Problem, invalid, not_found
from app.models.cadres.appointments import EndReason
from app.models.kernel.access import Right
from app.models.kernel.units import Unit
from app.models.members.spells import Joined, Left, Membership, MembershipAnnul, MembershipUpdate
from app.models.memberships.transfers import Transfer
from app.services.cadres import endings
from app.services.groups import groups
from app.services.kernel.access import (
    Actor,
    Expected,
    ensure_revision,
    forbidden,
    require_somewhere,
)
from app.services.members import following, rewriting, spells
from app.services.members.following import Ending
from app.services.members.spells import DAY, Life
from app.services.memberships import under_way
from app.services.units.rows import unit_of
from app.services.units.units import closed, ensure_open


def correct(
    session: Session, actor: Actor, spell_id: UUID, body: MembershipUpdate, expected: Expected
) -> Membership:
    """Change the days, the reason or the note of one spell."""
    life, spell = _access(session, actor, spell_id)
    ensure_revision(spell.revision, expected)
    if spell.annulled_at is not None:
        raise Problem("membership_annulled")
    ends = {each.id: each.valid_to for each in life.spells}
    changed = body.model_dump(exclude_unset=True)
    _ensure_days_in_order(spell, changed)
    if changed.get("valid_from", spell.valid_from) != spell.valid_from:
        _ensure_of_an_act(spell.joined_by)
        _begin_on(session, actor, life, spell, changed["valid_from"])
    if changed.get("valid_to", spell.valid_to) != spell.valid_to:
        _ensure_of_an_act(spell.left_by)
        _end_on(session, actor, life, spell, changed["valid_to"])
    if "reason" in changed:
        if spell.left_by is not Left.departure:
            raise invalid("not_a_departure", "/reason")
        rewriting.give_reason(spell, changed["reason"])
    if "note" in changed:
        rewriting.give_note(spell, changed["note"])
    spells.settle(session, life)
    _end_sooner(session, life, ends)
    return spell


def _access(session: Session, actor: Actor, spell_id: UUID) -> tuple[Life, Membership]:
    """404 when neither she nor the branch is in scope, 403 without the right over the branch."""
    of_spell = sa.select(col(Membership.member_id)).where(col(Membership.id) == spell_id)
    member_id = session.execute(of_spell).scalar_one_or_none()
    life = None if member_id is None else spells.lock(session, member_id)
    if life is None:
        require_somewhere(session, actor, Right.members_read)
        raise not_found()
    spell = spells.one(session, spell_id)
    branch = unit_of(session, spell.branch_id)
    seen = [actor.covers(Right.members_read, place) for place in (branch, life.member)]
    if not any(seen):
        require_somewhere(session, actor, Right.members_read)
        raise not_found()
    _ensure_over(session, actor, branch)
    spells.ensure_changeable(actor, life)
    return life, spell


def _ensure_over(session: Session, actor: Actor, branch: Unit) -> None:
    if not actor.covers(Right.members_write, branch):
        raise forbidden(session, actor, Right.members_write, branch.id)


def _ensure_of_an_act(how: Joined | Left | None) -> None:
    """What a reorganisation did is taken back with it, for all members of the branch."""
    if how in (Joined.reorganisation, Left.reorganisation):
        raise Problem("membership_reorganised")


def _ensure_days_in_order(spell: Membership, changed: dict[str, Any]) -> None:
    """A spell that ended on the very day it began has no day: its last is the one before."""
    first = changed.get("valid_from", spell.valid_from)
    last = changed.get("valid_to", spell.valid_to)
    if last is not None and last < first - DAY:
        raise invalid("dates_reversed", "/valid_to" if "valid_to" in changed else "/valid_from")


def _begin_on(session: Session, actor: Actor, life: Life, spell: Membership, first: date) -> None:
    branch = unit_of(session, spell.branch_id)
    ensure_open(branch, first, pointer="/valid_from")
    place = life.spells.index(spell)
    before = life.spells[place - 1] if place else None
    if before is not None and spell.joined_by is Joined.transfer:
        source = unit_of(session, before.branch_id)
        _ensure_over(session, actor, source)
        if first < before.valid_from:
            raise _overlap(before.valid_from, "/valid_from")
        _ensure_not_closed(source, first - DAY, "/valid_from")
        rewriting.end_on(before, first - DAY)
        _date_transfer(session, spell, first)
    elif before is not None and before.valid_to is not None and first <= before.valid_to:
        raise _overlap(before.valid_to, "/valid_from")
    rewriting.begin_on(spell, first)
    if before is None:
        for each in life.spells:
            rewriting.count_all(each)


def _end_on(
    session: Session, actor: Actor, life: Life, spell: Membership, last: date | None
) -> None:
    if spell.valid_to is None:
        raise invalid("membership_lasts", "/valid_to")
    place = life.spells.index(spell) + 1
    after = life.spells[place] if place < len(life.spells) else None
    if last is None:
        _reopen(session, spell, after)
        return
    if last >= local_today():
        raise invalid("date_in_future", "/valid_to")  # the act took effect the day after it
    _ensure_not_closed(unit_of(session, spell.branch_id), last, "/valid_to")
    if after is not None and spell.left_by is Left.transfer:
        target = unit_of(session, after.branch_id)
        _ensure_over(session, actor, target)
        if after.valid_to is not None and last > after.valid_to:
            raise _overlap(after.valid_to, "/valid_to")
        ensure_open(target, last + DAY, pointer="/valid_to")
        rewriting.begin_on(after, last + DAY)
        _date_transfer(session, after, last + DAY)
    elif after is not None and last >= after.valid_from:
        raise _overlap(after.valid_from, "/valid_to")
    rewriting.end_on(spell, last)


def _reopen(session: Session, spell: Membership, after: Membership | None) -> None:
    """She never left, nor died."""
    if spell.left_by is Left.transfer:
        raise invalid("ended_by_transfer", "/valid_to")
    if after is not None:
        raise _overlap(after.valid_from, "/valid_to")
    branch = unit_of(session, spell.branch_id)
    if branch.closed_on is not None:
        raise closed(branch, branch.closed_on, "/valid_to")
    rewriting.reopen(spell)


def _date_transfer(session: Session, joined: Membership, first: date) -> None:
    transfer = session.get(Transfer, joined.transfer_id)
    if transfer is not None:
        transfer.effective_on = first


def _ensure_not_closed(branch: Unit, last: date, pointer: str) -> None:
    if branch.closed_on is not None and last > branch.closed_on:
        raise closed(branch, branch.closed_on, pointer)


def _end_sooner(session: Session, life: Life, ends: Mapping[UUID, date | None]) -> None:
    """Posts and groups that ended with a spell end with it still when its last day is earlier
    than it was in `ends`."""
    for place, spell in enumerate(life.spells):
        was = ends[spell.id]
        if was is None or spell.valid_to is None or spell.valid_to >= was:
            continue
        assert spell.left_by is not None  # noqa: S101  # it has ended
        on, later = spell.valid_to + DAY, life.spells[place + 1 :]
        if spell.left_by is Left.transfer:
            if all(each.branch_id != spell.branch_id for each in later):
                _end_in_branch(session, spell, on, EndReason.transferred)
        elif not later:
            following.end(session, Ending(spell.member_id, on, spell.left_by))


def _end_in_branch(session: Session, spell: Membership, on: date, reason: EndReason) -> None:
    groups.end_in_branch(session, spell.member_id, spell.branch_id, on)
    endings.end_in_branch(session, spell.member_id, spell.branch_id, on, reason)


def _overlap(day: date, pointer: str) -> Problem:
    return invalid("membership_overlap", pointer, date=day.isoformat())


def annul(
    session: Session, actor: Actor, spell_id: UUID, body: MembershipAnnul, expected: Expected
) -> Membership:
    """Her last spell never was. A mistaken transfer puts her back where she came from, and what
    has happened since (she left, she died) happened there; after a mistaken admission she is in no
    branch and counts nowhere. What she held on the ground of it she never held."""
    life, spell = _access(session, actor, spell_id)
    if spell.annulled_at is not None:
        return spell  # the same act again
    ensure_revision(spell.revision, expected)
    if spell is not life.last:
        raise Problem("membership_not_last")
    _ensure_of_an_act(spell.joined_by)
    before = life.spells[-2] if len(life.spells) > 1 else None
    life.spells.remove(spell)
    note = spell.note
    rewriting.annul(spell, body.note)
    # Before the other is open again: the database holds no two open ones.
    session.flush()
    moved = before is not None and spell.joined_by is Joined.transfer
    if before is not None and moved:
        _put_back(session, actor, before, spell, note)
    under_way.cancel(session, life, actor.account_id)
    spells.settle(session, life)
    if moved:
        _end_in_branch(session, spell, spell.valid_from, EndReason.mistake)
    else:
        following.end(session, Ending(spell.member_id, spell.valid_from, None))
    return spell


def _put_back(
    session: Session, actor: Actor, before: Membership, spell: Membership, note: str | None
) -> None:
    """The earlier spell lasts, or ended as the annulled one did."""
    source = unit_of(session, before.branch_id)
    _ensure_over(session, actor, source)
    if source.closed_on is not None and (spell.valid_to or date.max) > source.closed_on:
        raise closed(source, source.closed_on)
    rewriting.end_like(before, spell, note)
