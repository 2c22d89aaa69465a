"""Merging two records of one person, and undoing that.

The record that goes is deleted: so no list, count or search can show her twice. Its id finds the
kept one for ever (`merged.kept_of`). A journal of every row as it was and as it became lets the
merge be undone exactly; what was written by others since is left alone, and where the two meet the
undo refuses instead of guessing.
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic_core import to_jsonable_python
from sqlmodel import Session, col, select

from app.clock import local_today, utc_now
from app.db import Database
from app.errors import Problem, invalid, not_found
from app.models.cadres.appointments import Appointment
from app.models.duplicates.merges import (
    OBSTACLES,
    FieldChoices,
    Merge,
    MergeCreate,
    MergeObstacle,
    MergeRead,
    MergeState,
    Side,
)
from app.models.households.households import HouseholdPerson
from app.models.kernel.access import Right
from app.models.kernel.accounts import Account
from app.models.members.fields import less_exact
from app.models.members.members import Member, PartyStatus
from app.models.members.spells import Membership
from app.problem_texts import ProblemCode
from app.services.attendance import merging
from app.services.duplicates import pairs, pointers
from app.services.duplicates.journal import Found, differences, rows_of_members, spells_of
from app.services.households import line
from app.services.kernel import provinces
from app.services.kernel.access import Actor, Db, ensure, forbidden, require_somewhere
from app.services.kernel.keyset import Order, Pages, each, pages
from app.services.kernel.pointers import Pointer
from app.services.members import following, merged, persons, record
from app.services.members import merging as merging_spells
from app.services.members import spells as memberships
from app.services.members.spells import Life
from app.text import search_key, sort_key

_COLUMNS = [getattr(Merge, name) for name in MergeRead.model_fields]


def list_of_member(db: Db, actor: Actor, member_id: UUID) -> Pages:
    """The merges that made a member's record what it is, undone ones too, in their order."""
    if not memberships.sees(db, actor, member_id):
        raise not_found()
    statement = sa.select(*_COLUMNS).where(col(Merge.kept_id) == member_id)
    return pages(statement, Order(col(Merge.id)), each(lambda row: _shown(row._asdict())))


def get_merge(db: Db, actor: Actor, merge_id: UUID) -> dict[str, Any]:
    """One merge, for who sees the record that was kept."""
    row = db.execute(sa.select(*_COLUMNS).where(col(Merge.id) == merge_id)).one_or_none()
    if row is None or not _sees(db, actor, row.kept_id):
        require_somewhere(db, actor, Right.members_read)
        raise not_found()
    return _shown(row._asdict())


def read(merge: Merge) -> dict[str, Any]:
    """A merge just written, as MergeRead."""
    return _shown({name: getattr(merge, name) for name in MergeRead.model_fields})


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    item = {name: row[name] for name in MergeRead.model_fields}
    if item["state"] is not MergeState.merged or item["undo_until"] < local_today():
        item["undo_until"] = None
    return item


def _sees(db: Db, actor: Actor, member_id: UUID) -> bool:
    kept = merged.kept_of(db, member_id) or member_id
    return memberships.sees(db, actor, kept)


def merge(
    session: Session, actor: Actor, kept_id: UUID, body: MergeCreate, undo_days: int
) -> tuple[Merge, bool]:
    """Make the other record part of the kept one. The same merge again is no second one.

    409 `merge_blocked` with all obstacles; nothing is written then.
    """
    if kept_id == body.other_id:
        raise invalid("merge_with_itself", "/other_id")
    lives = _lock_both(session, kept_id, body.other_id)
    kept, gone = lives[kept_id], lives[body.other_id]
    if kept is None:
        require_somewhere(session, actor, Right.members_read)
        raise not_found()
    ensure(session, actor, Right.members_merge, kept.member, seen_with=Right.members_read)
    if gone is None:
        return _merged_before(session, actor, kept_id, body.other_id), False
    if not actor.covers(Right.members_read, gone.member):
        raise invalid("member_unknown", "/other_id")
    ensure(session, actor, Right.members_merge, gone.member, seen_with=Right.members_read)
    for member in (kept.member, gone.member):
        if member.erased_on is not None:
            raise persons.erased(member.erased_on)
        persons.ensure_changeable(actor, member)
    values, sides = _values(session, actor, kept.member, gone.member, body.fields)
    values["restricted"] = kept.member.restricted or gone.member.restricted

    before = rows_of_members(session, [kept_id, gone.member.id])
    obstacles = _obstacles(session, kept, gone)
    obstacles += merging_spells.arrange(session, kept, gone, body.memberships)
    if obstacles:
        raise blocked("merge_blocked", obstacles)
    pairs.follow_merge(session, actor, kept_id, gone.member.id)
    pointers.merge_rows(session, kept_id, gone.member.id)
    provinces.follow(session, Member, col(Member.id) == kept_id, kept.member.province_id)
    attendance = merging.hand_over(session, kept_id, gone.member.id)
    record.remove(session, gone.member)
    _write(session, kept, values)
    after = rows_of_members(session, [kept_id, body.other_id])
    journal = {
        "rows": differences(before, after),
        "spells": spells_of(after),
        "attendance": attendance,
    }
    today = local_today()
    now = utc_now()
    done = Merge(
        kept_id=kept_id,
        gone_id=body.other_id,
        reason=body.reason,
        fields=sides,
        merged_by=actor.account_id,
        merged_at=now,
        undo_until=today + timedelta(days=undo_days),
        journal=json.dumps(journal, ensure_ascii=False),
        created_at=now,
        updated_at=now,
    )
    session.add(done)
    session.flush()
    pairs.look_for(session, kept.member)
    return done, True


def _lock_both(session: Session, one_id: UUID, other_id: UUID) -> dict[UUID, Life | None]:
    """Units first, of both, then the two in the order of their ids: nobody waits in a circle."""
    units = session.execute(
        sa.select(col(Membership.branch_id)).where(
            col(Membership.member_id).in_([one_id, other_id])
        )
    ).scalars()
    unit_ids = sorted(set(units))
    return {
        member_id: memberships.lock(session, member_id, *unit_ids)
        for member_id in sorted((one_id, other_id))
    }


def _merged_before(session: Session, actor: Actor, kept_id: UUID, gone_id: UUID) -> Merge:
    """The merge that this request has made already, or what became of the other record."""
    statement = select(Merge).where(
        col(Merge.gone_id) == gone_id, col(Merge.state) == MergeState.merged
    )
    made = session.exec(statement).one_or_none()
    if made is not None and made.kept_id == kept_id:
        return made
    if kept := merged.seen_kept_of(session, actor, gone_id):
        raise Problem("member_merged", extra={"merged_into": str(kept)})
    raise invalid("member_unknown", "/other_id")


def _obstacles(session: Session, kept: Life, gone: Life) -> Found:
    found: Found = [
        {"code": MergeObstacle.transfer_under_way, "transfer_id": life.transfer_id}
        for life in (kept, gone)
        if life.transfer_id is not None
    ]
    ids = [kept.member.id, gone.member.id]
    accounts = pointers.rows_of(session, Pointer(Account, None), ids)
    if len(accounts) > 1:
        found.append(
            {"code": MergeObstacle.two_accounts, "account_ids": [each.id for each in accounts]}
        )
    stays = pointers.rows_of(session, Pointer(HouseholdPerson, None), ids)
    found += [
        {
            "code": MergeObstacle.households_overlap,
            "household_ids": [one.household_id, other.household_id],
            "person_ids": [one.person_id, other.person_id],
        }
        for one in stays
        for other in stays
        if (one.member_id, other.member_id) == (ids[0], ids[1])
        and merging_spells.overlap(one, other)
    ]
    posts = pointers.rows_of(session, Pointer(Appointment, None), ids)
    found += [
        {"code": MergeObstacle.post_twice, "appointment_ids": [one.id, other.id]}
        for one in posts
        for other in posts
        if (one.member_id, other.member_id) == (ids[0], ids[1])
        if (one.unit_id, one.post) == (other.unit_id, other.post)
        and merging_spells.overlap(one, other)
    ]
    return found


def blocked(code: ProblemCode, obstacles: Found) -> Problem:
    told = [
        each
        | {
            "text_vi": OBSTACLES[each["code"]].vi,
            "text_en": OBSTACLES[each["code"]].en,
        }
        for each in obstacles
    ]
    return Problem(code, count=len(told), extra={"obstacles": to_jsonable_python(told)})


def _values(
    session: Session, actor: Actor, kept: Member, gone: Member, choices: FieldChoices
) -> tuple[dict[str, Any], dict[str, Side]]:
    """The fields of the merged record, and whose each is where the two differ, but for the
    sensitive ones."""
    chosen = {name: side for name, side in choices if side is not None}
    for name in chosen.keys() & record.MASKS.keys():
        for member in (kept, gone):
            if not actor.covers(record.MASKS[name], member):
                raise forbidden(session, actor, record.MASKS[name], member.branch_id)
    values: dict[str, Any] = {}
    sides: dict[str, Side] = {}
    for name in FieldChoices.model_fields:
        hers, others = getattr(kept, name), getattr(gone, name)
        side = chosen.get(name) or _side(name, hers, others, sides)
        values[name] = others if side is Side.other else hers
        if hers != others:
            sides[name] = side
    if values["party"] is not PartyStatus.member and "party_joined_on" not in chosen:
        values["party_joined_on"] = None
    record.ensure_consistent(values, "/fields")
    # The merge must not reveal that two records differ in religion or party.
    return values, {name: side for name, side in sides.items() if name not in record.MASKS}


def _side(name: str, hers: Any, others: Any, sides: Mapping[str, Side]) -> Side:
    if name == "given_name" and "full_name" in sides:
        return sides["full_name"]  # it is a part of that name
    if name == "party_joined_on":
        # A day in the Party is hers by whose word she is in it.
        return sides.get("party", Side.other if hers is None else Side.kept)
    more_exact = (
        hers and others and name in ("birth_date", "joined_on") and less_exact(hers, others)
    )
    return Side.other if hers is None or more_exact else Side.kept


def _write(session: Session, kept: Life, values: Mapping[str, Any]) -> None:
    """The fields of the kept record, and all that follows from them and from her spells."""
    member = kept.member
    old = member.model_dump()
    for name, value in values.items():
        setattr(member, name, value)
    member.sort_key = sort_key(member.full_name, member.given_name)
    member.search_key = search_key(member.full_name, member.given_name)
    member.birth_year = int(member.birth_date[:4])
    memberships.settle(session, kept)
    follow(session, old, member)


def follow(session: Session, old: Mapping[str, Any], member: Member) -> None:
    """What follows from her record; and the households she heads now, whoever headed them."""
    now = member.model_dump()
    following.follow(session, [({**now, **old}, now)])
    line.name_heads(session, [now])


def forget_old(database: Database) -> int:
    """Empty the journals of merges that can no longer be undone; returns how many."""
    statement = (
        sa.update(Merge)
        .where(col(Merge.journal).is_not(None), col(Merge.undo_until) < local_today())
        .values(journal=None)
    )
    with database.writing() as session:
        return session.connection().execute(statement).rowcount
