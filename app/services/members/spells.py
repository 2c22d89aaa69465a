"""Spells of members in branches: the one history from which status, branch and every count follow.

An act has a day on which it takes effect, the first of the new state: the spell it ends has the
day before as its last. So no day is lost and none counts twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import local_today, utc_now
from app.db import AnySelect
from app.errors import FieldError, Problem, invalid, not_found
from app.models.kernel.access import Right
from app.models.kernel.units import Unit
from app.models.members.fields import earliest
from app.models.members.members import Member, MemberStatus
from app.models.members.spells import Introduction, Joined, Left, Membership, MembershipRead
from app.models.memberships.transfers import UNDER_WAY, Transfer
from app.services.kernel import changes, provinces
from app.services.kernel.access import Actor, Db, require_somewhere, visible
from app.services.kernel.keyset import Order, Pages, pages
from app.services.kernel.limits import Limit, RateLimits
from app.services.members import persons
from app.services.units.rows import hold, hold_by_asking, locked_is_409, unit_of
from app.services.units.units import closed, ensure_open
from app.text import search_words

DAY = timedelta(days=1)
# Of one account, naming members it cannot see: mistakes of a busy hour, too few to find a birthday.
_WRONG_INTRODUCTIONS = Limit.of("introduction", "10 per hour")


# -- reading


_OF_MEMBER: AnySelect = sa.select(
    *(
        col(Unit.name).label(name) if name == "branch_name" else getattr(Membership, name)
        for name in MembershipRead.model_fields
    )
).join(Unit, col(Unit.id) == col(Membership.branch_id))
_OLDEST = Order(col(Membership.valid_from), col(Membership.id))
_PLACE = sa.select(col(Member.province_id), col(Member.commune_id), col(Member.branch_id)).where(
    col(Member.id) == sa.bindparam("member_id")
)


def list_of_member(db: Db, actor: Actor, member_id: UUID) -> Pages:
    """The spells of a member, oldest first: all when the member is in scope, else those in branches
    that are."""
    statement = _OF_MEMBER.where(col(Membership.member_id) == member_id)
    if not sees(db, actor, member_id):
        statement = statement.where(visible(Unit, actor, Right.members_read))
        if db.execute(statement.limit(1)).first() is None:
            raise not_found()
    return pages(statement, _OLDEST)


def sees(db: Db, actor: Actor, member_id: UUID) -> bool:
    """Whether the member is in the actor's scope today."""
    require_somewhere(db, actor, Right.members_read)
    place = db.execute(_PLACE, {"member_id": member_id}).one_or_none()
    return place is not None and actor.covers(Right.members_read, place)


def read(session: Session, spell: Membership) -> dict[str, Any]:
    """A spell just written, as MembershipRead."""
    branch = unit_of(session, spell.branch_id)
    values = spell.model_dump() | {"branch_name": branch.name}
    return {name: values[name] for name in MembershipRead.model_fields}


# -- one member's history, locked


@dataclass(slots=True)
class Life:
    """A member, her spells that count (oldest first) and which transfer of hers is under way."""

    member: Member
    spells: list[Membership]
    transfer_id: UUID | None

    @property
    def last(self) -> Membership | None:
        return self.spells[-1] if self.spells else None

    @property
    def current(self) -> Membership:
        """The spell that lasts, or 409: she is not in the union."""
        last = self.last
        if last is None or last.valid_to is not None:
            raise self.wrong_state()
        return last

    @property
    def counted_from(self) -> date | None:
        """`Membership.counted_from` of all spells."""
        return self.spells[0].counted_from if self.spells else None

    def wrong_state(self) -> Problem:
        return Problem(
            "member_state",
            status=self.member.status,
            errors=[FieldError("path", "/member_id", "state_conflict")],
        )


def lock(
    session: Session, member_id: UUID, *unit_ids: int, skip_locked: bool = False
) -> Life | None:
    """Lock the member against all other acts until the commit; None when there is no such member,
    or when she is locked and `skip_locked`. Her branches and the units named are locked first, in
    the order in which moves of units lock them, so that there is no deadlock.
    """
    hers = sa.select(col(Membership.branch_id)).where(col(Membership.member_id) == member_id)
    held = hold(session, sa.or_(col(Unit.id).in_(hers), col(Unit.id).in_(unit_ids)))
    alone = {"key_share": True, "skip_locked": skip_locked}
    with locked_is_409():
        member = session.get(Member, member_id, with_for_update=alone)
    if member is None:
        return None
    under_way = select(Transfer.id).where(
        col(Transfer.member_id) == member_id, col(Transfer.state).in_(UNDER_WAY)
    )
    life = Life(member, _spells(session, member_id), session.exec(under_way).one_or_none())
    # While this waited for her branch, it may have handed her over to another one.
    new = {spell.branch_id for spell in life.spells} - {unit.id for unit in held}
    if new:
        hold_by_asking(session, col(Unit.id).in_(new))
    return life


def remove(session: Session, life: Life) -> None:
    """Delete all her spells with the record they are of: they never were."""
    statement = select(Membership).where(col(Membership.member_id) == life.member.id)
    for spell in session.exec(statement).all():
        session.delete(spell)
    session.flush()
    life.spells = []


def _spells(session: Session, member_id: UUID) -> list[Membership]:
    rows = session.exec(
        select(Membership).where(
            col(Membership.member_id) == member_id, col(Membership.annulled_at).is_(None)
        )
    )
    # A spell of no day comes before the one that began on the same day.
    return sorted(rows, key=lambda row: (row.valid_from, row.valid_to or date.max, row.id))


def one(session: Session, spell_id: UUID) -> Membership:
    """A spell of a life that is locked, annulled or not."""
    return session.get_one(Membership, spell_id)


def ensure_changeable(actor: Actor, life: Life) -> None:
    """Refuse an erased member, and a restricted one unless the actor may change her record."""
    if life.member.erased_on is not None:
        raise persons.erased(life.member.erased_on)
    persons.ensure_changeable(actor, life.member)


def settle(session: Session, life: Life) -> None:
    """Derive the member's own columns from her spells: here and nowhere else."""
    member, last = life.member, life.last
    member.status = _status(life)
    if last is not None and last.branch_id != member.branch_id:
        branch = unit_of(session, last.branch_id)
        province_id = _province_of(branch)
        # Also within a province: her rows may be behind (`provinces.following_later`).
        provinces.follow(session, Member, col(Member.id) == member.id, province_id)
        member.branch_id = branch.id
        member.commune_id = branch.commune_id
        member.province_id = province_id
    session.flush()


def _province_of(branch: Unit) -> int:
    assert branch.province_id is not None  # noqa: S101  # every branch is in a province
    return branch.province_id


def _status(life: Life) -> MemberStatus:
    if life.last is None:
        return MemberStatus.left
    if life.last.valid_to is None:
        return MemberStatus.active if life.transfer_id is None else MemberStatus.transferring
    return MemberStatus.deceased if life.last.left_by is Left.death else MemberStatus.left


def find_known(
    session: Session,
    limits: RateLimits,
    actor: Actor,
    life: Life | None,
    branch: Unit,
    proof: Introduction,
) -> Life:
    """404 unless the actor sees the member or, as officer of the branch, knows who she is.

    After too many wrong tries every try is a 429, right or wrong, whether or not there is such a
    member: a birthday cannot be found by trying.
    """
    if life is not None and actor.covers(Right.members_read, life.member):
        return life
    if proof.is_complete and actor.covers(Right.members_write, branch):
        limits.check(_WRONG_INTRODUCTIONS, str(actor.account_id))
        if life is not None and _knows(proof, life.member):
            return life
        limits.count(_WRONG_INTRODUCTIONS, str(actor.account_id))
    require_somewhere(session, actor, Right.members_read)
    raise not_found()


def _knows(proof: Introduction, member: Member) -> bool:
    """The name with or without its marks, and the date of birth at least as exact as recorded."""
    return _bare(proof.full_name) == _bare(member.full_name) and (
        (proof.birth_date or "").startswith(member.birth_date)
    )


def _bare(name: str | None) -> list[str]:
    return [bare for bare, _ in search_words(name or "")]


# -- writing


def first_day(joined_on: str | None, branch: Unit) -> date:
    """When the first spell of a record begins: the day she joined, the first that it may be, but not
    before the branch opened; an unknown join date lies before everything that is recorded."""
    return branch.opened_on if joined_on is None else max(earliest(joined_on), branch.opened_on)


def counted_from(joined_on: str | None) -> date | None:
    """From when counts have somebody who is entered now: from her first day, where it is known."""
    return local_today() if joined_on is None else None


def begin(session: Session, member: Member, branch: Unit) -> Membership:
    """Open the first spell of a new record, in the member's branch."""
    return _open(
        session,
        Membership(
            member_id=member.id,
            branch_id=member.branch_id,
            province_id=member.province_id,
            valid_from=first_day(member.joined_on, branch),
            joined_by=Joined.admission,
            counted_from=counted_from(member.joined_on),
            **_now(),
        ),
    )


def _now() -> dict[str, Any]:
    now = utc_now()
    return {"created_at": now, "updated_at": now}


def _open(session: Session, spell: Membership) -> Membership:
    session.add(spell)
    session.flush()
    return spell


def readmit(
    session: Session, life: Life, branch: Unit, *, since: date, note: str | None
) -> Membership:
    """A spell of one who is in no branch; her first ever if all before were annulled."""
    spell = Membership(
        member_id=life.member.id,
        branch_id=branch.id,
        province_id=_province_of(branch),
        valid_from=since,
        joined_by=Joined.readmission if life.spells else Joined.admission,
        note=note,
        counted_from=life.counted_from,
        **_now(),
    )
    life.spells.append(_open(session, spell))
    settle(session, life)
    return spell


def move(
    session: Session, life: Life, target: Unit, *, since: date, transfer_id: UUID
) -> Membership:
    """From her branch to another without a day between."""
    source = end(life, since, Left.transfer, pointer="/effective_on")
    source.to_branch_id = target.id
    # The old spell first: the database holds no two open ones.
    session.flush()
    spell = Membership(
        member_id=life.member.id,
        branch_id=target.id,
        province_id=_province_of(target),
        valid_from=since,
        joined_by=Joined.transfer,
        from_branch_id=source.branch_id,
        transfer_id=transfer_id,
        counted_from=life.counted_from,
        **_now(),
    )
    life.spells.append(_open(session, spell))
    settle(session, life)
    return spell


def end(life: Life, on: date, by: Left, *, pointer: str) -> Membership:
    """End her spell; `on` is the first day she is no longer there."""
    spell = life.current
    if on < spell.valid_from:
        raise invalid("before_membership", pointer, date=spell.valid_from.isoformat())
    spell.valid_to = on - DAY
    spell.left_by = by
    return spell


def deaths(db: Db, member_ids: Sequence[UUID]) -> dict[UUID, date]:
    """Of those who have died the first day without them."""
    rows = db.execute(
        sa.select(col(Membership.member_id), col(Membership.valid_to)).where(
            col(Membership.member_id).in_(member_ids),
            col(Membership.left_by) == Left.death,
            col(Membership.annulled_at).is_(None),
        )
    )
    return {row.member_id: row.valid_to + DAY for row in rows}


def ensure_takes(branch: Unit, since: date, *, pointer: str, day_pointer: str) -> None:
    """A member may come to the branch on that day, and stay there."""
    if branch.closed_on is not None:
        raise closed(branch, branch.closed_on, pointer)
    ensure_open(branch, since, pointer=day_pointer)


def follow_joined_on(
    session: Session, actor: Actor, member_id: UUID, old: str | None, new: str | None
) -> None:
    """Her first spell begins when she joined, until another day has been entered; that of a branch
    which is not the actor's to write stays as it is.
    """
    spells = _spells(session, member_id)
    if not spells or spells[0].joined_by is not Joined.admission:
        return
    first = spells[0]
    branch = unit_of(session, first.branch_id)
    if first.valid_from != first_day(old, branch):
        return
    if not actor.covers(Right.members_write, branch):
        return
    since = first_day(new, branch)
    if first.valid_to is not None and since > first.valid_to + DAY:
        raise invalid("joined_after_leaving", "/joined_on", date=first.valid_to.isoformat())
    # As counts had her until now, where the day becomes unknown.
    counted = None if new is not None else first.counted_from or first.valid_from
    for spell in spells:
        spell.counted_from = counted
    first.valid_from = since
    session.flush()


def carry(session: Session, branch_ids: Sequence[int], province_id: int | None) -> None:
    """The branches, with all that ever was in them, are in another province."""
    session.execute(
        sa.update(Membership)
        .where(
            col(Membership.branch_id).in_(branch_ids),
            col(Membership.province_id).is_distinct_from(province_id),
        )
        .values(province_id=province_id),
        execution_options={"synchronize_session": False},
    )


def stand_in_household(
    session: Session, member_ids: Sequence[UUID], household_id: UUID | None
) -> None:
    """Her record follows her household, of today: none when she has left it."""
    rows = session.connection().execute(
        sa.select(*(getattr(Member, name) for name in Member.model_fields))
        .where(col(Member.id).in_(member_ids))
        .order_by(col(Member.id))
    )
    for row in rows.all():
        changes.revise(session, Member, row._asdict(), {"household_id": household_id})
