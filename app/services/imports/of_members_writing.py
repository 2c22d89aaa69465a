"""Writing the rows of a list of members, by the rules of POST and PATCH /v1/members."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import local_today
from app.db import AnySelect, Database, chunks
from app.models.imports.imports import RowOutcome
from app.models.kernel.access import Right
from app.models.kernel.units import Unit
from app.models.members.members import Member, MemberCreate, MemberUpdate
from app.problem_texts import FieldCode
from app.services.duplicates import matching
from app.services.duplicates import pairs as duplicates
from app.services.duplicates.compared import ComparedPerson
from app.services.imports.kinds import wrong
from app.services.kernel.access import Actor
from app.services.kernel.list_kinds import Json, RowsDue
from app.services.members import batches
from app.services.members import record as members
from app.services.members.batches import Admission, Correction
from app.services.units.rows import hold_units

RECORD = [getattr(Member, name) for name in Member.model_fields]


def write(session: Session, actor: Actor, rows: Sequence[RowsDue]) -> dict[int, Json]:
    """Write a set of rows; what has changed since the preview is refused, by number."""
    refused: dict[int, Json] = {}
    new = [row for row in rows if row.outcome is RowOutcome.created]
    branches = _held(session, {row.unit_id for row in new if row.unit_id is not None})
    admissions = []
    for row in new:
        branch = branches[row.unit_id or 0]
        if not actor.covers(Right.members_write, branch):
            refused[row.number] = wrong("unit_unknown", "branch")
        elif not _is_open(branch):
            refused[row.number] = wrong("unit_not_open", "branch")
        else:
            admissions.append(Admission(_body(row), branch, row.ref))
    batches.admit(session, admissions)
    known = [row for row in rows if row.outcome is RowOutcome.updated]
    return refused | _correct(session, actor, known)


def _body(row: RowsDue) -> MemberCreate:
    if isinstance(row.checked, MemberCreate):
        return row.checked.model_copy(update={"id": row.entity_id})
    return MemberCreate.model_validate(row.writes | {"id": str(row.entity_id)})


def _held(session: Session, unit_ids: set[int]) -> dict[int, Unit]:
    """Branches that are neither closed nor moved before the commit."""
    return {unit.id: unit for unit in hold_units(session, unit_ids)}


def _is_open(branch: Unit) -> bool:
    today = local_today()
    return branch.opened_on <= today and (branch.closed_on is None or branch.closed_on >= today)


def _correct(session: Session, actor: Actor, rows: Sequence[RowsDue]) -> dict[int, Json]:
    records = batches.locked(session, {row.entity_id for row in rows})
    refused: dict[int, Json] = {}
    number_of: dict[UUID, int] = {}
    corrections = []
    for row in rows:
        if row.entity_id in number_of:
            refused[row.number] = wrong("row_id_repeated", "id", row=number_of[row.entity_id])
            continue
        record = records.get(row.entity_id)
        if record is None or not _covers(actor, Right.members_write, record):
            refused[row.number] = wrong("member_unknown", "id")
            continue
        if code := closed(actor, record):
            refused[row.number] = wrong(code, "id")
            continue
        if record["revision"] != row.entity_revision:
            refused[row.number] = wrong("record_changed", "id")
            continue
        changed = row.checked
        if changed is None:
            changed = MemberUpdate.model_validate(row.writes).model_dump(exclude_unset=True)
        masked = [n for n in changed if n in members.MASKS]
        if any(not _covers(actor, members.MASKS[name], record) for name in masked):
            refused[row.number] = wrong("masked_field", masked[0])
            continue
        number_of[row.entity_id] = row.number
        corrections.append(Correction(row.entity_id, changed, row.ref))
    left = batches.correct(session, actor, records, corrections)
    for member_id, problem in left.items():
        error = problem.errors[0]
        field = error.pointer.strip("/")
        refused[number_of[member_id]] = wrong(error.code, field, **error.params)
    return refused


def closed(actor: Actor, record: Mapping[str, Any]) -> FieldCode | None:
    """Why nothing may be written to a record that is otherwise hers to write."""
    if record["erased_on"] is not None:
        return "row_of_erased"
    if record["restricted"] and not _covers(actor, Right.privacy_manage, record):
        return "row_of_restricted"
    return None


class _Stands:
    """The units of a record, as a scope compares them."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        self.province_id: int | None = record["province_id"]
        self.commune_id: int | None = record["commune_id"]
        self.branch_id: int | None = record["branch_id"]


def _covers(actor: Actor, right: Right, record: Mapping[str, Any]) -> bool:
    return actor.covers(right, _Stands(record))


def finish(database: Database, member_ids: Sequence[UUID]) -> None:
    """Who of the new records may be somebody else's: pairs for the inbox, found in one go."""
    people: list[ComparedPerson] = []
    with database.reading() as db:
        for chunk in chunks(member_ids):
            statement: AnySelect = sa.select(*duplicates.PERSON).where(col(Member.id).in_(chunk))
            people += map(duplicates.person_of, db.execute(statement))
        found = matching.match_many(db, people)
    pairs = [
        (person.member_id, other)
        for person, others in zip(people, found, strict=True)
        for other in others
        if person.member_id is not None
    ]
    for some in chunks(pairs):
        with database.writing() as session:
            duplicates.remember(session, some)
