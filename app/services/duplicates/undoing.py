"""Undo a merge, by its journal."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, SQLModel, col

from app.clock import local_today, utc_now
from app.errors import Problem
from app.models.duplicates.merges import Merge, MergeObstacle, MergeState
from app.models.kernel.access import Right
from app.models.members.members import Identifier, Member
from app.services.attendance import merging
from app.services.duplicates.journal import (
    DERIVED,
    Found,
    Rows,
    models_by_table,
    python_value,
    rows_of_members,
    spells_of,
    typed,
)
from app.services.duplicates.merges import blocked, follow, get_merge
from app.services.kernel import provinces
from app.services.kernel.access import Actor, ensure, forbidden
from app.services.kernel.manifest import manifest
from app.services.members import record
from app.services.members import spells as memberships
from app.services.members.spells import Life
from app.services.units.rows import unit_of


def undo(session: Session, actor: Actor, merge_id: UUID) -> Merge:
    """Both records as they were. Undone already is undone; 409 `undo_blocked` with what stands in
    the way, `undo_too_late` after the last day."""
    get_merge(session, actor, merge_id)  # 404 before anything is locked
    done = session.get_one(Merge, merge_id)
    kept = memberships.lock(session, done.kept_id, *_branches(done))
    if kept is None:
        raise blocked("undo_blocked", [_merged_further(session, done.kept_id)])
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
    now = rows_of_members(session, [done.kept_id, done.gone_id])
    if obstacles := _in_the_way(kept, journal, now):
        raise blocked("undo_blocked", obstacles)
    old = kept.member.model_dump()
    _restore(session, journal["rows"], gone)
    for life in (memberships.lock(session, done.kept_id), memberships.lock(session, done.gone_id)):
        assert life is not None  # noqa: S101  # both are on record now
        memberships.settle(session, life)
        hers = col(Member.id) == life.member.id
        provinces.follow(session, Member, hers, life.member.province_id)
        follow(session, old if life.member.id == done.kept_id else _NO_NUMBERS, life.member)
    merging.hand_back(session, done.kept_id, done.gone_id, _attendance(journal))
    done.state, done.undone_by, done.undone_at = MergeState.undone, actor.account_id, utc_now()
    done.journal = None
    session.flush()
    return done


def _attendance(journal: Mapping[str, Any]) -> Mapping[str, Any]:
    """Journals of before 0.3 name the captures alone."""
    named: Mapping[str, Any] = journal.get("attendance", {"captures": journal.get("captures")})
    return {"places": [], **named}


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
    values = {name: python_value(Member, name, value) for name, value in row.items()}
    branch = unit_of(session, values["branch_id"])
    # The deletion was logged as the next revision; followers take the highest.
    values["revision"] += 2
    values |= {"commune_id": branch.commune_id, "province_id": branch.province_id}
    return record.restored(values | {"updated_at": utc_now()})


def _in_the_way(kept: Life, journal: Mapping[str, Any], now: Rows) -> Found:
    found: Found = []
    if kept.transfer_id is not None:
        found.append({"code": MergeObstacle.transfer_under_way, "transfer_id": kept.transfer_id})
    if spells_of(now) != journal["spells"]:
        found.append({"code": MergeObstacle.memberships_changed})
    for change in journal["rows"]:
        row = now.get((change["table"], change["id"]))
        if row is None or change["after"] is None or change["table"] == "membership":
            continue  # deleted since stays deleted; spells were compared as a whole
        names = change["after"].keys() - DERIVED
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
    models = models_by_table()
    for change in changes:
        model = models[change["table"]]
        row = session.get(cast(Any, model), UUID(change["id"]))
        if change["after"] is None and model is not Member:
            session.add(model(**typed(model, change["before"])))
        elif change["before"] is None and row is not None:
            session.delete(row)
        elif change["before"] is not None and row is not None and change["after"] is not None:
            updates.append((model, row, typed(model, change["before"])))
    session.flush()
    for back in (True, False):
        for model, row, values in updates:
            if _goes_back(model, values) is back:
                for name, value in values.items():
                    setattr(row, name, value)
        session.flush()


def _goes_back(model: type[SQLModel], values: Mapping[str, Any]) -> bool:
    return any(each.model is model and each.column in values for each in manifest().pointers)
