"""Merging two records of one person, and telling them apart again.

The record that goes is deleted: so no list, count or search can show her twice. Its id finds the
kept one for ever (`merged.kept_of`). A journal of every row as it was and as it became lets the
merge be undone exactly; what was written by others since is left alone, and where the two meet the
undo says so instead of guessing.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa
from pydantic import TypeAdapter
from pydantic_core import to_jsonable_python
from sqlmodel import Session, SQLModel, col, select

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
from app.models.members.members import Identifier, Member, PartyStatus
from app.models.members.spells import Membership
from app.problem_texts import ProblemCode
from app.services.attendance import merging
from app.services.duplicates import pairs, pointers
from app.services.households import line
from app.services.kernel.access import Actor, Db, ensure, forbidden, require_somewhere
from app.services.kernel.keyset import Order, Pages, each, pages
from app.services.kernel.manifest import manifest
from app.services.kernel.pointers import Pointer
from app.services.members import following, merged, persons, record
from app.services.members import merging as merging_spells
from app.services.members import spells as memberships
from app.services.members.spells import Life
from app.services.units.rows import unit_of
from app.text import search_key, sort_key

Found = list[dict[str, Any]]
Rows = dict[tuple[str, str], dict[str, Any]]
# These follow from her spells and her branch, and units move: they are settled, not restored.
_SETTLED = frozenset({"status", "province_id", "commune_id", "branch_id"})
_COUNTED = frozenset({"revision", "updated_at"})


def _in_journal() -> list[Pointer]:
    """The columns whose rows the journal finds again, by their ids."""
    named = [each for each in manifest().pointers if "id" in each.model.model_fields]
    return [Pointer(Member, None, "id"), *named]


def _models() -> dict[str, type[SQLModel]]:
    return {each.place[0]: each.model for each in _in_journal()}


# -- reading


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


# -- merging


def merge(
    session: Session, actor: Actor, kept_id: UUID, body: MergeCreate, undo_days: int
) -> tuple[Merge, bool]:
    """Make the other record part of the kept one. The same merge again is no second one.

    409 `merge_blocked` with all that stands in the way; nothing is written then.
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

    before = _rows(session, [kept_id, gone.member.id])
    obstacles = _obstacles(session, kept, gone)
    obstacles += merging_spells.arrange(session, kept, gone, body.memberships)
    if obstacles:
        raise _blocked("merge_blocked", obstacles)
    pairs.follow_merge(session, actor, kept_id, gone.member.id)
    pointers.merge_rows(session, kept_id, gone.member.id)
    captures = merging.hand_over(session, kept_id, gone.member.id)
    record.remove(session, gone.member)
    _write(session, kept, values)
    after = _rows(session, [kept_id, body.other_id])
    journal = {
        "rows": _differences(before, after),
        "spells": _spells_of(after),
        "captures": captures,
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


def _blocked(code: ProblemCode, obstacles: Found) -> Problem:
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
    # That two records differ in religion or party is told to nobody by the merge.
    return values, {name: side for name, side in sides.items() if name not in record.MASKS}


def _side(name: str, hers: Any, others: Any, sides: Mapping[str, Side]) -> Side:
    if name == "party_joined_on":
        # A day in the Party is hers by whose word she is in it.
        return sides.get("party", Side.other if hers is None else Side.kept)
    more_exact = name == "birth_date" and others.startswith(hers)
    return Side.other if hers is None or more_exact else Side.kept


def _write(session: Session, kept: Life, values: Mapping[str, Any]) -> None:
    """The fields of the kept record, and all that follows from them and from her spells."""
    member = kept.member
    old = member.model_dump()
    for name, value in values.items():
        setattr(member, name, value)
    member.sort_key, member.search_key = sort_key(member.full_name), search_key(member.full_name)
    member.birth_year = int(member.birth_date[:4])
    memberships.settle(session, kept)
    _follow(session, old, member)


def _follow(session: Session, old: Mapping[str, Any], member: Member) -> None:
    """What follows from her record; and the households she heads now, whoever headed them."""
    now = member.model_dump()
    following.follow(session, [({**now, **old}, now)])
    line.name_heads(session, [now])


# -- the journal


def _rows(session: Session, member_ids: Sequence[UUID]) -> Rows:
    """Every row of these members as the database has it, as JSON, by table and id."""
    session.expire_all()
    found: Rows = {}
    for pointer in _in_journal():
        for row in pointers.rows_of(session, pointer, member_ids):
            values = to_jsonable_python(
                {name: getattr(row, name) for name in type(row).model_fields}
            )
            found[str(pointer.model.__tablename__), values["id"]] = values
    return found


def _differences(before: Rows, after: Rows) -> Found:
    changes = []
    for table, row_id in sorted(before.keys() | after.keys()):
        old, new = before.get((table, row_id)), after.get((table, row_id))
        if old is not None and new is not None:
            names = [name for name in old if old[name] != new[name] and name not in _COUNTED]
            if table == "member":
                names = [name for name in names if name not in _SETTLED]
            old = {name: old[name] for name in names}
            new = {name: new[name] for name in names}
        if old != new:
            changes.append({"table": table, "id": row_id, "before": old, "after": new})
    return changes


def _spells_of(rows: Rows) -> Found:
    """The spells as the merge left them: whoever changed one since has built on it."""
    names = ("id", "branch_id", "valid_from", "valid_to", "annulled_at", "left_by")
    return [
        {name: row[name] for name in names}
        for (table, _), row in sorted(rows.items())
        if table == "membership"
    ]


def _python(model: type[SQLModel], name: str, value: Any) -> Any:
    annotation: Any = model.model_fields[name].annotation
    return TypeAdapter(annotation).validate_json(json.dumps(value))


# -- undoing


def undo(session: Session, actor: Actor, merge_id: UUID) -> Merge:
    """Both records as they were. Undone already is undone; 409 `undo_blocked` with what stands in
    the way, `undo_too_late` after the last day."""
    get_merge(session, actor, merge_id)  # 404 before anything is locked
    done = session.get_one(Merge, merge_id)
    kept = memberships.lock(session, done.kept_id, *_branches(done))
    if kept is None:
        raise _blocked("undo_blocked", [_merged_further(session, done.kept_id)])
    session.refresh(done, with_for_update=True)
    ensure(session, actor, Right.members_merge, kept.member, seen_with=Right.members_read)
    if done.state is MergeState.undone:
        return done
    if done.journal is None or done.undo_until < local_today():
        raise Problem("undo_too_late")
    journal = json.loads(done.journal)
    gone = _record_of(session, journal, done.gone_id)
    if not actor.covers(Right.members_merge, gone):
        seen = actor.covers(Right.members_read, gone)
        unit_id = gone.branch_id if seen else gone.commune_id or gone.province_id
        raise forbidden(session, actor, Right.members_merge, unit_id)
    now = _rows(session, [done.kept_id, done.gone_id])
    if obstacles := _in_the_way(kept, journal, now):
        raise _blocked("undo_blocked", obstacles)
    old = kept.member.model_dump()
    _restore(session, journal["rows"], gone)
    for life in (memberships.lock(session, done.kept_id), memberships.lock(session, done.gone_id)):
        assert life is not None  # noqa: S101  # both are on record now
        memberships.settle(session, life)
        _follow(session, old if life.member.id == done.kept_id else _NO_NUMBERS, life.member)
    merging.hand_back(session, done.kept_id, done.gone_id, journal["captures"])
    done.state, done.undone_by, done.undone_at = MergeState.undone, actor.account_id, utc_now()
    done.journal = None
    session.flush()
    return done


_NO_NUMBERS: Mapping[str, Any] = dict.fromkeys(Identifier)


def _merged_further(session: Session, kept_id: UUID) -> dict[str, Any]:
    """The kept record is gone itself: into which merge."""
    into = sa.select(col(Merge.id)).where(
        col(Merge.gone_id) == kept_id, col(Merge.state) == MergeState.merged
    )
    merge_id = session.execute(into).scalar_one_or_none()
    return {"code": MergeObstacle.merged_further, "merge_id": merge_id}


def _branches(done: Merge) -> list[int]:
    """The branches both were in, to be locked before she is."""
    rows = json.loads(done.journal)["rows"] if done.journal else []
    found = {(each[side] or {}).get("branch_id") for each in rows for side in ("before", "after")}
    return sorted(each for each in found if each is not None)


def _record_of(session: Session, journal: Mapping[str, Any], gone_id: UUID) -> Member:
    """The record that went, to be written again, where its branch stands today."""
    [row] = [
        each["before"]
        for each in journal["rows"]
        if (each["table"], each["id"]) == ("member", str(gone_id))
    ]
    values = {name: _python(Member, name, value) for name, value in row.items()}
    branch = unit_of(session, values["branch_id"])
    # The deletion was logged as the next revision; followers take the highest.
    values["revision"] += 2
    values |= {"commune_id": branch.commune_id, "province_id": branch.province_id}
    return record.restored(values | {"updated_at": utc_now()})


def _in_the_way(kept: Life, journal: Mapping[str, Any], now: Rows) -> Found:
    found: Found = []
    if kept.transfer_id is not None:
        found.append({"code": MergeObstacle.transfer_under_way, "transfer_id": kept.transfer_id})
    if _spells_of(now) != journal["spells"]:
        found.append({"code": MergeObstacle.memberships_changed})
    for change in journal["rows"]:
        row = now.get((change["table"], change["id"]))
        if row is None or change["after"] is None or change["table"] == "membership":
            continue  # deleted since stays deleted; spells were compared as a whole
        names = change["after"].keys() - _COUNTED
        found += [
            {"code": MergeObstacle.changed_since, "entity": change["table"], "id": row["id"]}
            | {"field": name}
            for name in sorted(names)
            if row[name] != change["after"][name]
        ]
    return found


def _restore(session: Session, changes: Iterable[Mapping[str, Any]], gone: Member) -> None:
    """Every row as it was: the record first, what the merge made last seen next, then what was
    handed over goes back, then the rest; so no index ever holds two open spells of one."""
    session.add(gone)
    session.flush()
    updates = []
    models = _models()
    for change in changes:
        model = models[change["table"]]
        row = session.get(cast(Any, model), UUID(change["id"]))
        if change["after"] is None and model is not Member:
            session.add(model(**_typed(model, change["before"])))
        elif change["before"] is None and row is not None:
            session.delete(row)
        elif change["before"] is not None and row is not None and change["after"] is not None:
            updates.append((model, row, _typed(model, change["before"])))
    session.flush()
    for back in (True, False):
        for model, row, values in updates:
            if _goes_back(model, values) is back:
                for name, value in values.items():
                    setattr(row, name, value)
        session.flush()


def _typed(model: type[SQLModel], values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _python(model, name, value) for name, value in values.items()}


def _goes_back(model: type[SQLModel], values: Mapping[str, Any]) -> bool:
    return any(each.model is model and each.column in values for each in manifest().pointers)


def forget_old(database: Database) -> int:
    """Empty the journals of merges that can no longer be undone; returns how many."""
    statement = (
        sa.update(Merge)
        .where(col(Merge.journal).is_not(None), col(Merge.undo_until) < local_today())
        .values(journal=None)
    )
    with database.writing() as session:
        return session.connection().execute(statement).rowcount
