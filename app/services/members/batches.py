"""Members by the hundred: admitted, corrected and withdrawn set by set, as `record` does one.

The caller has checked the rights and holds the branches; each set is one transaction's.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import utc_now
from app.db import AnySelect, chunks, insert_many
from app.errors import Problem
from app.models.base import new_id
from app.models.kernel.units import Unit
from app.models.members.members import Member, MemberCreate
from app.models.members.spells import Joined, Membership
from app.services.kernel import changes
from app.services.kernel.access import Actor, Db
from app.services.members import following, identifiers, names, record
from app.services.members import spells as memberships
from app.services.units.carrying import carry_records
from app.services.units.followers import Columns, Concerned, Days, count_of
from app.services.units.units import CURRENT_MEMBERS

_MEMBER = [getattr(Member, name) for name in Member.model_fields]
_SPELL = [getattr(Membership, name) for name in Membership.model_fields]


@dataclass(frozen=True, slots=True)
class Admission:
    """A new member; `ref` is her origin for the change log."""

    body: MemberCreate
    branch: Unit
    ref: str


@dataclass(frozen=True, slots=True)
class Correction:
    """Fields of a record (validated) that become others."""

    member_id: UUID
    changed: Mapping[str, Any]
    ref: str


def admit(session: Session, admissions: Sequence[Admission]) -> None:
    """Admit people to their branches; each `body.id` is the id of the new record."""
    rows = [record.new_row(each.body, each.branch) for each in admissions]
    refs = [each.ref for each in admissions]
    insert_many(session, Member, rows)
    identifiers.remember(session, rows)
    now = utc_now()
    spells = [
        {
            "id": new_id(),
            "member_id": row["id"],
            "branch_id": row["branch_id"],
            "province_id": row["province_id"],
            "valid_from": memberships.first_day(row["joined_on"], each.branch),
            "joined_by": Joined.admission,
            "counted_from": memberships.counted_from(row["joined_on"]),
            "revision": 1,
            "created_at": now,
            "updated_at": now,
        }
        for row, each in zip(rows, admissions, strict=True)
    ]
    insert_many(session, Membership, spells)
    changes.record_created(session, Member, rows, refs)
    whole = [dict.fromkeys(Membership.model_fields) | spell for spell in spells]
    changes.record_created(session, Membership, whole, refs)
    names.remember(session, rows)


def locked(session: Session, member_ids: Collection[UUID]) -> dict[UUID, dict[str, Any]]:
    """Whole records by id, kept from every other writer until the commit."""
    found: dict[UUID, dict[str, Any]] = {}
    wanted = sorted(member_ids)
    for chunk in chunks(wanted):
        statement: AnySelect = (
            sa.select(*_MEMBER)
            .where(col(Member.id).in_(chunk))
            .order_by(col(Member.id))
            .with_for_update()
        )
        found |= {row.id: row._asdict() for row in session.execute(statement)}
    return found


def correct(
    session: Session,
    actor: Actor,
    records: Mapping[UUID, Mapping[str, Any]],
    corrections: Sequence[Correction],
) -> dict[UUID, Problem]:
    """Correct records that are locked; one that cannot be corrected is left as it was, with the
    reason. Raises each revision by one, whatever number of fields changed.
    """
    refused: dict[UUID, Problem] = {}
    pairs: list[tuple[Mapping[str, Any], dict[str, Any]]] = []
    refs: list[str] = []
    by_names: dict[frozenset[str], list[dict[str, Any]]] = {}
    now = utc_now()
    for each in corrections:
        old = records[each.member_id]
        new = record.with_keys(old, each.changed)
        differing = {name: value for name, value in new.items() if old[name] != value}
        problem = _follow(session, actor, old, differing, each.ref)
        if problem is not None:
            refused[each.member_id] = problem
            continue
        differing |= {"revision": old["revision"] + 1, "updated_at": now}
        row = {**old, **differing}
        parameters = {f"new_{name}": value for name, value in differing.items()}
        by_names.setdefault(frozenset(differing), []).append({"row_id": old["id"], **parameters})
        pairs.append((old, row))
        refs.append(each.ref)
    for written, parameters_of in by_names.items():
        changes.update_many(session, Member, written, parameters_of)
    changes.record_updated(session, Member, pairs, refs)
    following.follow(session, pairs)
    return refused


def _follow(
    session: Session, actor: Actor, old: Mapping[str, Any], new: Mapping[str, Any], ref: str
) -> Problem | None:
    """Her first spell follows the day she joined; the reason why it cannot."""
    if "joined_on" not in new:
        return None
    origin = session.info["origin"]
    changes.attribute(session, replace(origin, source_ref=ref))
    try:
        with session.begin_nested():
            memberships.follow_joined_on(
                session, actor, old["id"], old["joined_on"], new["joined_on"]
            )
    except Problem as problem:
        if problem.passes:
            raise
        return problem
    finally:
        changes.attribute(session, origin)
    return None


def withdraw(session: Session, refs: Mapping[UUID, str]) -> None:
    """Take back admissions: the records and their spells never were, but in the change log."""
    records = locked(session, refs)
    ids = sorted(records)
    for chunk in chunks(ids):
        statement: AnySelect = sa.select(*_SPELL).where(col(Membership.member_id).in_(chunk))
        spells = [row._asdict() for row in session.execute(statement)]
        of_spells = [refs[spell["member_id"]] for spell in spells]
        changes.record_deleted(session, Membership, spells, of_spells)
        changes.record_deleted(
            session, Member, [records[i] for i in chunk], [refs[i] for i in chunk]
        )
        connection = session.connection()
        connection.execute(sa.delete(Membership).where(col(Membership.member_id).in_(chunk)))
        connection.execute(sa.delete(Member).where(col(Member.id).in_(chunk)))


def last_days_in(db: Db, branch_ids: Sequence[int]) -> Days:
    """The last days that are recorded of memberships in the branches."""
    branch = col(Membership.branch_id)
    first, last = col(Membership.valid_from), col(Membership.valid_to)
    counted = sa.and_(branch.in_(branch_ids), col(Membership.annulled_at).is_(None))
    days = sa.select(branch, sa.func.max(first), sa.func.max(last))
    return db.execute(days.where(counted).group_by(branch)).all()


def counts_in(db: Db, concerned: Concerned) -> dict[str, int]:
    """People in the union who go with their branches."""
    current = col(Member.status).in_(CURRENT_MEMBERS)
    parts = sum(len(part.member_ids) for part in concerned.parts)
    return {"members": count_of(db, Member.branch_id, concerned.going, current) + parts}


def carry(session: Session, branch_ids: Sequence[int], carried: Columns) -> None:
    """Members go where their branches go, and the province of their spells with them."""
    province_id = carried.get("province_id")
    if province_id is not None:
        memberships.carry(session, branch_ids, province_id)
    carry_records(session, Member, branch_ids, carried)
