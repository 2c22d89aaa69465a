"""Two histories of one person made one: on each day she is in one branch, and counts once.

Where both were in one branch, their days are joined into one spell. Where they were in different
branches at the same time, the spells of one side hold (`memberships` of the request) and the
other's are cut to the days that are left. A spell that has no day left is annulled, and kept.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from app.clock import utc_now
from app.models.duplicates.merges import MergeObstacle, Side
from app.models.members.spells import Joined, Left, Membership
from app.services.members.spells import Life

_DAY = timedelta(days=1)
Found = list[dict[str, Any]]


@dataclass(slots=True)
class _Cut:
    """Which ends of a spell were made by cutting: there she came from, or went to, another."""

    starts: set[UUID] = field(default_factory=set)
    ends: set[UUID] = field(default_factory=set)


def arrange(session: Session, kept: Life, gone: Life, side: Side | None) -> Found:
    """Give the kept record both histories, the gone one none; returns the obstacles."""
    obstacles = _outlived(kept, gone) + _outlived(gone, kept)
    if side is None:
        obstacles += _ask_for_side(kept, gone)
    if obstacles:
        return obstacles
    counted = [day for day in map(_counted, (kept, gone)) if day is not None]
    winner, loser = (gone, kept) if side is Side.other else (kept, gone)
    holds = [spell for spell in winner.spells if _has_days(spell)]
    cut, tails = _Cut(), []
    for spell in [each for each in loser.spells if _has_days(each)]:
        _join(holds, spell)
        tails += _cut_to_rest(spell, holds, cut)
    session.flush()
    for spell in _all_of(session, gone):
        spell.member_id = kept.member.id
    session.flush()
    for tail in tails:
        tail.member_id = kept.member.id
    session.add_all(tails)
    spells = {each.id: each for each in (*kept.spells, *gone.spells, *tails)}.values()
    kept.spells = sorted(
        (each for each in spells if each.annulled_at is None),
        key=lambda each: (each.valid_from, each.valid_to or date.max, each.id),
    )
    gone.spells = []
    _link([each for each in kept.spells if _has_days(each)], cut)
    _count_from(kept.spells, min(counted, default=None))
    session.flush()
    return []


def _counted(life: Life) -> date | None:
    """The first day on which counts have her."""
    if not life.spells:
        return None
    first = life.spells[0].valid_from
    return max(first, life.counted_from or first)


def _count_from(spells: Sequence[Membership], day: date | None) -> None:
    """The person counts from the day on which the first of the two records did."""
    known = not spells or day == spells[0].valid_from
    for spell in spells:
        spell.counted_from = None if known else day


def _all_of(session: Session, life: Life) -> Sequence[Membership]:
    """Annulled ones too: they are her history."""
    statement = select(Membership).where(col(Membership.member_id) == life.member.id)
    return session.exec(statement.order_by(col(Membership.id)).with_for_update()).all()


def overlap(one: Any, other: Any) -> bool:
    """Two periods `valid_from` to `valid_to` (inclusive, null = open) share a day."""
    ends = (one.valid_to or date.max, other.valid_to or date.max)
    return bool(one.valid_from <= ends[1] and other.valid_from <= ends[0])


def _has_days(spell: Membership) -> bool:
    return spell.valid_to is None or spell.valid_to >= spell.valid_from


def _outlived(dead: Life, other: Life) -> Found:
    """One record says that she died, the other that she was a member after it."""
    last = dead.last
    if last is None or last.valid_to is None or last.left_by is not Left.death:
        return []
    return [
        {
            "code": MergeObstacle.died_before,
            "membership_id": last.id,
            "later_membership_id": spell.id,
        }
        for spell in other.spells
        if _has_days(spell) and _last_day(spell) > last.valid_to
    ]


def _ask_for_side(kept: Life, gone: Life) -> Found:
    return [
        {
            "code": MergeObstacle.membership_overlap,
            "kept_membership_id": one.id,
            "kept_branch_id": one.branch_id,
            "other_membership_id": other.id,
            "other_branch_id": other.branch_id,
        }
        for one in kept.spells
        for other in gone.spells
        if _has_days(one) and _has_days(other)
        if one.branch_id != other.branch_id and overlap(one, other)
    ]


def _join(holds: Sequence[Membership], spell: Membership) -> None:
    """The days next to or within a spell of the same branch become days of that one, as far as
    the spells before and after it leave room."""
    for index, hold in enumerate(holds):
        if hold.branch_id != spell.branch_id or not _touch(hold, spell):
            continue
        if spell.valid_from < hold.valid_from:
            before = _last_day(holds[index - 1]) + _DAY if index else date.min
            hold.valid_from = max(spell.valid_from, before)
            if hold.valid_from == spell.valid_from:
                hold.joined_by, hold.from_branch_id = spell.joined_by, spell.from_branch_id
                hold.transfer_id = spell.transfer_id
        if _last_day(spell) > _last_day(hold):
            nexts = holds[index + 1 : index + 2]
            limit = nexts[0].valid_from - _DAY if nexts else date.max
            last = min(_last_day(spell), limit)
            hold.valid_to = None if last == date.max else last
            if last == _last_day(spell):
                hold.left_by, hold.to_branch_id = spell.left_by, spell.to_branch_id
                hold.reason = spell.reason


def _touch(one: Membership, other: Membership) -> bool:
    """They overlap, or one begins on the day after the other's last."""
    first, last = sorted((one, other), key=lambda each: each.valid_from)
    return first.valid_to is None or last.valid_from <= first.valid_to + _DAY


def _last_day(spell: Membership) -> date:
    return spell.valid_to or date.max


def _cut_to_rest(spell: Membership, holds: Iterable[Membership], cut: _Cut) -> list[Membership]:
    """Leave the spell the days on which no other holds; what lies behind one is a new spell."""
    rest = [(spell.valid_from, _last_day(spell))]
    for hold in holds:
        rest = [part for each in rest for part in _without(each, hold)]
    if not rest:
        spell.annulled_at = utc_now()
        return []
    tails = [_tail(spell, first, cut) for first, _ in rest[1:]]
    pieces = [spell, *tails]
    whole = _last_day(spell)
    joined, left, reason = spell.valid_from, (spell.left_by, spell.to_branch_id), spell.reason
    for piece, (first, last) in zip(pieces, rest, strict=True):
        piece.valid_from = first
        piece.valid_to = None if last == date.max else last
        if first != joined:
            cut.starts.add(piece.id)
        if last == whole:
            piece.left_by, piece.to_branch_id = left
            piece.reason = reason
        else:
            cut.ends.add(piece.id)
    return tails


def _without(part: tuple[date, date], hold: Membership) -> list[tuple[date, date]]:
    first, last = part
    if hold.valid_from > last or _last_day(hold) < first:
        return [part]
    pieces = []
    if first < hold.valid_from:
        pieces.append((first, hold.valid_from - _DAY))
    if last > _last_day(hold):
        pieces.append((_last_day(hold) + _DAY, last))
    return pieces


def _tail(spell: Membership, first: date, cut: _Cut) -> Membership:
    now = utc_now()
    tail = Membership(
        member_id=spell.member_id,
        branch_id=spell.branch_id,
        province_id=spell.province_id,
        valid_from=first,
        joined_by=Joined.transfer,
        created_at=now,
        updated_at=now,
    )
    cut.starts.add(tail.id)
    return tail


def _link(spells: Sequence[Membership], cut: _Cut) -> None:
    """Each spell but the first begins as a transfer from the one that was cut for it, or comes
    after it as a readmission."""
    for before, spell in pairwise(spells):
        if before.id in cut.ends or spell.id in cut.starts:
            before.left_by, before.to_branch_id, before.reason = (
                Left.transfer,
                spell.branch_id,
                None,
            )
            spell.joined_by, spell.from_branch_id = Joined.transfer, before.branch_id
        elif spell.joined_by is Joined.admission:
            spell.joined_by = Joined.readmission
