"""Who takes part in groups beside branches: tổ phụ nữ, clubs and others.

A group is a unit of level `group` and takes the path of its parent: nobody's scope begins at one.
People and participations are two figures, because a member may take part in many groups.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import local_today, utc_now
from app.db import AnySelect, chunks
from app.errors import FieldError, Problem, invalid, not_found
from app.models.groups.groups import (
    Participation,
    ParticipationCreate,
    ParticipationEnd,
    ParticipationQuery,
    ParticipationRead,
    UnitParticipationQuery,
)
from app.models.kernel.access import Right
from app.models.kernel.units import (
    GroupKind,
    Unit,
    UnitLevel,
)
from app.models.members.members import Member
from app.models.members.spells import Joined, Membership
from app.services.kernel.access import Actor, Db, forbidden, require_somewhere, visible
from app.services.kernel.created_once import created_once, holds
from app.services.kernel.keyset import Order, Pages, each, pages
from app.services.kernel.offers import DAYS_ON_A_PHONE, Follows, SyncKind
from app.services.kernel.periods import lasted
from app.services.members import persons, scope
from app.services.members.following import Ending
from app.services.units.followers import Concerned, Days, Handover, Refusals, TreeDraft, count_of
from app.services.units.handing import branch_after
from app.services.units.rows import hold_units
from app.services.units.units import closed, ensure_open, valid_on

_DAY = timedelta(days=1)
_ANEW = (Joined.admission, Joined.readmission)

_PARTICIPATION: AnySelect = (
    sa.select(
        col(Participation.id),
        col(Participation.group_id),
        col(Unit.level),
        col(Unit.name),
        col(Unit.group_kind),
        col(Participation.member_id),
        col(Member.full_name),
        col(Member.sort_key),
        col(Member.branch_id),
        col(Participation.valid_from),
        col(Participation.valid_to),
        col(Participation.revision),
    )
    .join(Unit, col(Unit.id) == col(Participation.group_id))
    .join(Member, col(Member.id) == col(Participation.member_id))
)


def unit_ref(unit_id: int, level: UnitLevel, name: str) -> dict[str, Any]:
    return {"id": unit_id, "level": level, "name": name}


def _item(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "group": unit_ref(row.group_id, row.level, row.name),
        "kind": row.group_kind,
        "member_id": row.member_id,
        "full_name": row.full_name,
        "branch_id": row.branch_id,
        "valid_from": row.valid_from,
        "valid_to": row.valid_to,
        "revision": row.revision,
    }


def read(db: Db, participation_id: UUID) -> dict[str, Any]:
    """Insert a participation; the caller has checked the right."""
    return _item(db.execute(_PARTICIPATION.where(col(Participation.id) == participation_id)).one())


def list_of_group(db: Db, actor: Actor, group_id: int, query: ParticipationQuery) -> Pages:
    """The participants of a group, by name; only those whom the actor may see."""
    _visible_group(db, actor, group_id)
    statement = _PARTICIPATION.where(
        col(Participation.group_id) == group_id, visible(Member, actor, Right.members_read)
    )
    if not query.all:
        day = query.as_of or local_today()
        statement = statement.where(valid_on(Participation, day))
    return pages(statement, _BY_MEMBER, each(_item))


def list_of_member(db: Db, actor: Actor, member_id: UUID) -> Pages:
    """All groups a member takes or took part in, oldest first."""
    persons.access_member(db, actor, member_id, Right.members_read)
    statement = _PARTICIPATION.where(col(Participation.member_id) == member_id)
    return pages(statement, _OLDEST, each(_item))


def list_of_unit(db: Db, actor: Actor, query: UnitParticipationQuery) -> Pages:
    """Who of the members of a unit takes part in what."""
    here = scope.rows(
        db,
        actor,
        (),
        query,
        Member,
        lambda places: scope.stood(places, col(Participation.member_id), Participation.valid_to),
    )
    statement = _PARTICIPATION.where(here, lasted(Participation, query))
    if query.kind is not None:
        statement = statement.where(col(Unit.group_kind) == query.kind)
    return pages(statement, _OLDEST, each(_item))


def _of_ids(db: Db, _: Actor, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    return [_item(row) for row in db.execute(_PARTICIPATION.where(col(Participation.id).in_(ids)))]


SYNC = SyncKind(
    name="participation",
    entity="participation",
    right=Right.members_read,
    schema=ParticipationRead,
    model=Participation,
    place=Member,
    joined=lambda rows: rows.join(Member, col(Member.id) == col(Participation.member_id)),
    rows=_of_ids,
    kept=sa.and_(col(Member.erased_on).is_(None), ~col(Member.restricted)),
    parents={"member": "member_id"},
    follows=(
        Follows(
            entity="member",
            of=lambda ids: sa.select(col(Participation.id)).where(
                col(Participation.member_id).in_(ids)
            ),
        ),
        Follows(
            entity="unit",
            of=lambda ids: sa.select(col(Participation.id)).where(
                col(Participation.group_id).in_(ids)
            ),
        ),
    ),
    names={"unit": col(Participation.group_id)},
    day=sa.func.coalesce(col(Participation.valid_to), date.max),
    days=DAYS_ON_A_PHONE,
)


_BY_MEMBER = Order(col(Member.sort_key), col(Participation.id))
_OLDEST = Order(col(Participation.valid_from), col(Participation.id))


_MEMBER = sa.select(
    col(Member.id), col(Member.province_id), col(Member.commune_id), col(Member.branch_id)
).where(col(Member.id) == sa.bindparam("member_id"))
_GROUP = sa.select(
    col(Unit.id),
    col(Unit.province_id),
    col(Unit.district_id),
    col(Unit.commune_id),
    col(Unit.branch_id),
).where(col(Unit.id) == sa.bindparam("group_id"), col(Unit.level) == UnitLevel.group)


def _visible_group(db: Db, actor: Actor, group_id: int) -> Any:
    group = db.execute(_GROUP, {"group_id": group_id}).one_or_none()
    if group is None or not actor.covers(Right.members_read, group):
        require_somewhere(db, actor, Right.members_read)
        raise not_found()
    return group


def _ensure_may_write(db: Db, actor: Actor, *places: Any) -> None:
    """403 unless she may change members in all of these places, which she sees."""
    for place in places:
        if not actor.covers(Right.members_write, place):
            unit_id = place.branch_id or place.commune_id or place.province_id
            raise forbidden(db, actor, Right.members_write, unit_id)


def join(
    session: Session, actor: Actor, group_id: int, body: ParticipationCreate
) -> tuple[UUID, bool]:
    """A member takes part in a group from a day on; the same body again is no second time."""
    place = _visible_group(session, actor, group_id)
    # Against the group being closed or moved before this is committed.
    [group] = hold_units(session, [group_id])
    member = persons.find_member(session, actor, body.member_id, pointer="/member_id")
    _ensure_may_write(session, actor, place, member)
    since = body.valid_from or local_today()
    sent = body.model_dump(exclude={"id"}, exclude_none=True) | {"group_id": group_id}
    participation, is_new = created_once(
        session,
        Participation,
        body.id,
        partial(_made, session, group, member, since),
        same=holds(sent),
        taken={"uq_participation_open": _already_in(group, since)},
    )
    return participation.id, is_new


def _made(session: Session, group: Unit, member: Any, since: date) -> Participation:
    if since > local_today():
        raise invalid("date_in_future", "/valid_from")
    ensure_open(group, since, pointer="/valid_from")
    if group.closed_on is not None:
        raise closed(group, group.closed_on)
    persons.ensure_in_union(member)
    is_team = group.group_kind is GroupKind.team
    if is_team and member.branch_id != group.branch_id:
        of_member = [FieldError("body", "/member_id", "state_conflict")]
        raise Problem("team_of_another_branch", unit=group.name, errors=of_member)
    _ensure_member_since(session, member.id, since, in_this_branch=is_team)
    _ensure_not_in(session, group, member.id, since)
    now = utc_now()
    return Participation(
        group_id=group.id,
        member_id=member.id,
        province_id=member.province_id,
        valid_from=since,
        created_at=now,
        updated_at=now,
    )


def _ensure_member_since(
    session: Session, member_id: UUID, since: date, *, in_this_branch: bool
) -> None:
    """Refuse a member who has not been in the union (in the branch) without a break since that day."""
    spells = session.execute(
        sa.select(col(Membership.valid_from), col(Membership.valid_to), col(Membership.joined_by))
        .where(col(Membership.member_id) == member_id, col(Membership.annulled_at).is_(None))
        .order_by(col(Membership.valid_from).desc())
    ).all()
    # Only an admission or a readmission begins anew: the others are no break in the union.
    begun = [
        spell.valid_from
        for spell in spells
        if (spell.valid_to is None if in_this_branch else spell.joined_by in _ANEW)
    ]
    if not begun or since < begun[0]:
        raise invalid("not_member_then", "/valid_from")


def _ensure_not_in(session: Session, group: Unit, member_id: UUID, since: date) -> None:
    """The same member in the same group twice on one day would be two participations of one."""
    last = col(Participation.valid_to)
    overlapping = session.execute(
        sa.select(col(Participation.valid_from)).where(
            col(Participation.group_id) == group.id,
            col(Participation.member_id) == member_id,
            sa.or_(last.is_(None), last >= since),
        )
    ).scalar()
    if overlapping is not None:
        raise _already_in(group, overlapping)


def _already_in(group: Unit, since: date) -> Problem:
    return Problem(
        "participation_exists",
        unit=group.name,
        since=since.isoformat(),
        errors=[FieldError("body", "/member_id", "state_conflict")],
    )


def end(session: Session, actor: Actor, participation_id: UUID, body: ParticipationEnd) -> None:
    """End a participation from a day on; ended on its first day, the entry was a mistake."""
    row = session.get(Participation, participation_id, with_for_update=True)
    if row is None:
        require_somewhere(session, actor, Right.members_read)
        raise not_found()
    member = session.execute(_MEMBER, {"member_id": row.member_id}).one()
    if not actor.covers(Right.members_read, member):
        require_somewhere(session, actor, Right.members_read)
        raise not_found()
    group = session.execute(_GROUP, {"group_id": row.group_id}).one()
    _ensure_may_write(session, actor, member, group)
    effective_on = body.effective_on or local_today()
    if row.valid_to is not None:
        # A retry; without a day it only asks for the end.
        if body.effective_on in (None, row.valid_to + _DAY):
            return
        raise Problem("participation_ended", valid_to=row.valid_to.isoformat())
    if effective_on > local_today():
        raise invalid("date_in_future", "/effective_on")
    if effective_on < row.valid_from:
        raise invalid("dates_reversed", "/effective_on")
    row.valid_to = effective_on - _DAY
    session.flush()


# -- what follows from other acts


def end_in_branch(session: Session, member_id: UUID, branch_id: int, on: date) -> None:
    """End her participations in the groups of a branch she leaves on `on`."""
    in_branch = sa.select(col(Unit.id)).where(col(Unit.branch_id) == branch_id)
    _end(
        session,
        on,
        col(Participation.member_id) == member_id,
        col(Participation.group_id).in_(in_branch),
    )


def end_handed(session: Session, handover: Handover) -> None:
    """Who goes on in another branch, while hers stays, takes part in no group of it any more."""
    if handover.only is None:
        return
    in_branch = sa.select(col(Unit.id)).where(col(Unit.branch_id).in_(handover.from_ids))
    for chunk in chunks(sorted(handover.only.member_ids)):
        theirs = col(Participation.member_id).in_(chunk)
        _end(session, handover.since, theirs, col(Participation.group_id).in_(in_branch))


def follow_ending(session: Session, ending: Ending) -> None:
    """She takes part in no group any more."""
    _end(session, ending.on, col(Participation.member_id) == ending.member_id)


def end_all_in(session: Session, group_ids: Sequence[int], on: date) -> None:
    """The groups are closed from `on`."""
    _end(session, on, col(Participation.group_id).in_(group_ids))


def _end(session: Session, on: date, *which: sa.ColumnElement[bool]) -> None:
    """`on` is the first day out. What would have begun later keeps no day at all."""
    last = col(Participation.valid_to)
    rows = session.exec(
        select(Participation)
        .where(*which, sa.or_(last.is_(None), last >= on))
        .order_by(col(Participation.id))
        .with_for_update()
    ).all()
    for row in rows:
        row.valid_to = max(on, row.valid_from) - _DAY
    session.flush()


def last_days_in(db: Db, group_ids: Sequence[int]) -> Days:
    """The last day on which somebody began to take part in each group."""
    group = col(Participation.group_id)
    begun = sa.select(group, sa.func.max(col(Participation.valid_from)))
    return db.execute(begun.where(group.in_(group_ids)).group_by(group)).all()


def counts_in(db: Db, concerned: Concerned) -> dict[str, int]:
    """Participations that end with their groups."""
    lasting = col(Participation.valid_to).is_(None)
    ending = count_of(db, Participation.group_id, concerned.closed, lasting)
    return {"participations_ending": ending}


def ensure_may_move(db: Db, draft: TreeDraft) -> Refusals:
    """A team is moved to a branch only when all who take part in it are of that branch."""
    for chunk in chunks(sorted(draft.parents)):
        taking_part = (
            sa.select(col(Unit.id), col(Unit.name), col(Member.id), col(Member.branch_id))
            .join(Participation, col(Participation.group_id) == col(Unit.id))
            .join(Member, col(Member.id) == col(Participation.member_id))
            .where(
                col(Unit.id).in_(chunk),
                col(Unit.group_kind) == GroupKind.team,
                col(Participation.valid_to).is_(None),
            )
        )
        strangers = {
            group_id: name
            for group_id, name, member_id, branch_id in db.execute(taking_part)
            if branch_after(draft.handed, member_id, branch_id) != draft.parents[group_id]
        }
        for group_id, name in strangers.items():
            yield group_id, Problem("team_of_another_branch", unit=name)


def ids_of_member(db: Db, member_id: UUID, day: date) -> list[int]:
    """The groups she takes part in on a day."""
    statement = sa.select(col(Participation.group_id)).where(
        col(Participation.member_id) == member_id, valid_on(Participation, day)
    )
    return list(db.execute(statement).scalars())
