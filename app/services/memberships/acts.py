"""How a member leaves the union, dies, or comes back; and what ends with her membership."""

from datetime import date
from uuid import UUID

from sqlmodel import Session

from app.clock import local_today
from app.errors import invalid, not_found
from app.models.kernel.access import Right
from app.models.kernel.units import UnitLevel
from app.models.members.members import MemberStatus
from app.models.members.spells import (
    DeathCreate,
    DepartureCreate,
    Left,
    Membership,
    ReadmissionCreate,
)
from app.services.duplicates import pairs
from app.services.kernel.access import Actor, ensure, require_somewhere
from app.services.kernel.limits import RateLimits
from app.services.members import following, rewriting, spells
from app.services.members.following import Ending
from app.services.members.spells import Life
from app.services.memberships import under_way
from app.services.units.units import find_target, own_branch


def depart(session: Session, actor: Actor, member_id: UUID, body: DepartureCreate) -> Membership:
    """She leaves the union, for a coded reason."""
    life = _access(session, actor, member_id)
    on = body.effective_on or local_today()
    spell = spells.end(life, on, Left.departure, pointer="/effective_on")
    rewriting.give_reason(spell, body.reason)
    return _left(session, actor, life, body.note, Ending(member_id, on, Left.departure))


def die(session: Session, actor: Actor, member_id: UUID, body: DeathCreate) -> Membership:
    """She died: the day is the first on which she is no longer counted."""
    life = _access(session, actor, member_id)
    spells.end(life, body.died_on, Left.death, pointer="/died_on")
    return _left(session, actor, life, body.note, Ending(member_id, body.died_on, Left.death))


def leave(session: Session, member_id: UUID, on: date, by: Left) -> None:
    """She is known to have left, and who recorded it is not: `on`, or when her spell began, is the
    first day without her."""
    life = spells.lock(session, member_id)
    if life is None:
        return
    ending = Ending(member_id, max(on, life.current.valid_from), by)
    spells.end(life, ending.on, by, pointer="/on")
    under_way.cancel(session, life, None)
    spells.settle(session, life)
    following.end(session, ending)


def _access(session: Session, actor: Actor, member_id: UUID) -> Life:
    life = spells.lock(session, member_id)
    if life is None:
        require_somewhere(session, actor, Right.members_read)
        raise not_found()
    ensure(session, actor, Right.members_write, life.member, seen_with=Right.members_read)
    spells.ensure_changeable(actor, life)
    return life


def _left(
    session: Session,
    actor: Actor,
    life: Life,
    note: str | None,
    ending: Ending,
) -> Membership:
    spell = life.spells[-1]
    if note is not None:
        rewriting.give_note(spell, note)
    under_way.cancel(session, life, actor.account_id)
    spells.settle(session, life)
    following.end(session, ending)
    return spell


def readmit(
    session: Session, limits: RateLimits, actor: Actor, member_id: UUID, body: ReadmissionCreate
) -> Membership:
    """A member who left comes back, to any branch, not before the day after her last one."""
    require_somewhere(session, actor, Right.members_read)
    # With her old branches in one go, in their order, before `find_target` asks for this one.
    branch_id = body.branch_id or own_branch(
        session, actor, Right.members_write, pointer="/branch_id"
    )
    life = spells.lock(session, member_id, branch_id)
    branch = find_target(
        session,
        actor,
        branch_id,
        Right.members_write,
        pointer="/branch_id",
        level=UnitLevel.branch,
    )
    life = spells.find_known(session, limits, actor, life, branch, body)
    spells.ensure_changeable(actor, life)
    if life.member.status is not MemberStatus.left:
        raise life.wrong_state()
    since = body.effective_on or local_today()
    last = life.last
    if last is not None and last.valid_to is not None and since <= last.valid_to:
        raise invalid("membership_overlap", "/effective_on", date=last.valid_to.isoformat())
    spells.ensure_takes(branch, since, pointer="/branch_id", day_pointer="/effective_on")
    spell = spells.readmit(session, life, branch, since=since, note=body.note)
    pairs.look_for(session, life.member)
    return spell
