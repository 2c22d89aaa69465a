"""Lists of members: whom a row stands for, what it would change, and writing it.

A row stands for the record of its `Mã`, or for that of the very same row of an earlier import.
Any other row is somebody new, unless the matcher finds somebody like her: then it is held until
somebody says which. The rules are those of POST and PATCH /v1/members, applied by the set.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from pydantic import ValidationError
from sqlmodel import Session, col

from app.clock import local_today
from app.db import AnySelect, Database, chunks, vault_of
from app.errors import Problem
from app.models.base import new_id
from app.models.duplicates.duplicates import Reason
from app.models.duplicates.merges import Merge, MergeState
from app.models.imports.imports import Duplicates, EmptyCells, RowDecision, RowOutcome
from app.models.kernel.access import Right
from app.models.kernel.changes import Change
from app.models.kernel.units import Unit
from app.models.members.members import Member, MemberCreate, MemberUpdate
from app.models.members.spells import Membership
from app.problem_texts import FieldCode
from app.services.duplicates import matching
from app.services.duplicates import pairs as duplicates
from app.services.duplicates.matching import ComparedPerson
from app.services.imports.kinds import wrong
from app.services.imports.planning import (
    Key,
    Pairs,
    Planner,
    as_json,
    field_errors,
    find_repeated,
)
from app.services.imports.units import Branch, Branches
from app.services.imports.writing import named_elsewhere
from app.services.kernel.access import Actor, Db
from app.services.kernel.actors import reach_of
from app.services.kernel.list_kinds import (
    Done,
    Earlier,
    Frame,
    Given,
    Json,
    KindOfList,
    RowPlan,
    RowsDue,
)
from app.services.kernel.manifest import tracked_of
from app.services.members import batches, checks, merged
from app.services.members import record as members
from app.services.members.batches import Admission, Correction
from app.services.members.checks import Doubt
from app.services.units.rows import hold_units

_WRITTEN = tuple(MemberUpdate.model_fields)
_NEVER_EMPTY = frozenset({"full_name", "birth_date", "gender", "kind", "core"})
# Who is out of scope is told of so many rows: a list is no way to try out whom the union knows.
_MOST_BEYOND = 50
# The same name and year in one branch, or the whole date in one commune (`matching.REASONS`).
_LIKELY = 70
_NUMBERS = {Reason.citizen_id_same, Reason.id_card_same}
_RECORD = [getattr(Member, name) for name in Member.model_fields]


# -- planning


def plan(
    db: Db, actor: Actor, frame: Frame, rows: Sequence[Given], earlier: Earlier
) -> list[RowPlan]:
    """What each row would do, in the order of `rows`. Reads: a handful for each thousand rows."""
    return _Planner(db, actor, frame).plan(rows, earlier)


class _Planner(Planner):
    def __init__(self, db: Db, actor: Actor, frame: Frame) -> None:
        super().__init__(db, actor, frame, Branches(db, actor, frame.unit, Right.members_write))
        self.reach = reach_of(db, frame.unit)
        self.beyond = 0
        self.asked: list[tuple[Given, RowPlan]] = []

    def find_unit(self, row: Given, made: RowPlan) -> Branch | None:
        return self.open_branch(row, made)

    def followed(self, targets: Sequence[UUID | None]) -> list[UUID | None]:
        """An id that was merged away stands for the record that was kept, where that is seen."""
        unknown = {t for t in targets if t is not None and t not in self.records}
        kept = merged.kept_of_many(self.db, unknown)
        self.read(set(kept.values()))
        seen = {gone: now for gone, now in kept.items() if now in self.records}
        return [target and seen.get(target, target) for target in targets]

    def settle_new(self, row: Given, made: RowPlan, unit: Branch) -> None:
        if self._new(row, made, unit):
            self.asked.append((row, made))

    def compare_rows(self, pairs: Pairs) -> None:
        find_repeated(pairs, _same_person, "full_name")
        self._match([each for each in self.asked if each[1].outcome is RowOutcome.created])
        _find_same_record(pairs)

    # -- one row

    def read(self, member_ids: set[UUID]) -> None:
        wanted = sorted(member_ids)
        for chunk in chunks(wanted):
            statement: AnySelect = sa.select(*_RECORD).where(col(Member.id).in_(chunk))
            for row in self.db.execute(statement):
                if self.actor.covers(Right.members_read, row):
                    self.records[row.id] = row._asdict() | {"row": row}

    def meet(
        self, row: Given, made: RowPlan, target: UUID, unit: Branch | None, *, untouched: bool
    ) -> None:
        """The row stands for a record: what would change of it."""
        record = self.records.get(target)
        if record is None:
            self.refuse(made, row, "id", "member_unknown")
            return
        if code := _closed(self.actor, record):
            self.refuse(made, row, "id", code)
            return
        made.entity_id, made.entity_revision = target, record["revision"]
        if untouched:
            made.outcome = RowOutcome.same
            made.unit_id = record["branch_id"]
            return
        here = self.reach.contains(record["row"])
        if not here or not self.actor.covers(Right.members_write, record["row"]):
            self.refuse(made, row, "id", "member_elsewhere")
            return
        if unit is not None and unit.id != record["branch_id"]:
            self.refuse(made, row, "branch", "member_in_other_branch")
            return
        made.unit_id = record["branch_id"]
        changed = self._validated_update(row, made, record)
        made.writes = {name: value for name, value in changed.items() if value != record.get(name)}
        made.outcome = RowOutcome.updated if made.writes else RowOutcome.same
        if made.writes:
            made.writes = as_json(MemberUpdate, made.writes)

    def _validated_update(self, row: Given, made: RowPlan, record: Mapping[str, Any]) -> Json:
        given = dict(self._told(row, made, record))
        try:
            changed = MemberUpdate.model_validate(given).model_dump(exclude_unset=True)
            members.ensure_consistent({**record, **changed})
        except ValidationError as error:
            self.refuse_all(made, row, field_errors(error))
            return {}
        except Problem as problem:
            self.refuse_all(made, row, problem.errors)
            return {}
        return changed

    def _told(
        self, row: Given, made: RowPlan, record: Mapping[str, Any]
    ) -> Iterator[tuple[str, Any]]:
        """What the row says of a record. A field that its writer may not see it does not touch,
        and says so where somebody has filled it in."""
        unseen = set(row.values.get("masked") or ())
        for name in _WRITTEN:
            if name not in row.values:
                continue
            value, right = row.values[name], members.MASKS.get(name)
            hidden = right is not None and not self.actor.covers(right, record["row"])
            if hidden or name in unseen:
                if value is not None:
                    self.refuse(made, row, name, "masked_field", level="warning")
                continue
            clears = self.frame.empty_cells is EmptyCells.clear and name not in _NEVER_EMPTY
            if value is not None or clears:
                yield name, value

    def _new(self, row: Given, made: RowPlan, branch: Branch) -> bool:
        """Somebody new, as POST /v1/members would take her."""
        given = {name: row.values[name] for name in _WRITTEN if row.values.get(name) is not None}
        given = {"joined_on": None, **given, "branch_id": branch.id}
        wrong_fields = {problem["field"] for problem in made.problems}
        try:
            body = MemberCreate.model_validate(given)
            members.ensure_consistent(body.model_dump())
        except ValidationError as error:
            errors = field_errors(error)
            shown = [e for e in errors if e.pointer.strip("/") not in wrong_fields]
            self.refuse_all(made, row, shown)
            return False
        except Problem as problem:
            self.refuse_all(made, row, problem.errors)
            return False
        made.writes = body.model_dump(mode="json", exclude_unset=True)
        made.entity_id = new_id()
        self._doubt(row, made, body)
        return not any(problem["level"] == "error" for problem in made.problems)

    def _doubt(self, row: Given, made: RowPlan, body: MemberCreate) -> None:
        record = body.model_dump() | {"birth_year": int(body.birth_date[:4])}
        for doubt in checks.plain_doubts(record):
            self._warn(made, row, doubt)

    def _warn(self, made: RowPlan, row: Given, doubt: Doubt) -> None:
        self.refuse(made, row, doubt.field, doubt.code, level="warning", **doubt.params)

    # -- who may be on record

    def _match(self, asked: Sequence[tuple[Given, RowPlan]]) -> None:
        people = [_person(made.writes) for _, made in asked]
        lists = matching.match_many(self.db, people)
        told = duplicates.told_many(self.db, self.actor, lists)
        for (row, made), found in zip(asked, told, strict=True):
            shown = [each for each in found if not each["masked"] or self._may_tell()]
            if not shown or row.decision is RowDecision.create:
                continue
            made.candidates = [_candidate(each) for each in shown]
            wants = row.decision is RowDecision.update or (
                self.frame.duplicates is Duplicates.update
            )
            if wants and self._becomes(row, made, shown):
                continue
            likely = any(map(_is_likely, shown))
            if likely and self.frame.duplicates is not Duplicates.create:
                made.outcome = RowOutcome.duplicate
            self.refuse(made, row, "full_name", "row_may_be_known", level="warning")

    def _may_tell(self) -> bool:
        self.beyond += 1
        return self.beyond <= _MOST_BEYOND

    def _becomes(self, row: Given, made: RowPlan, found: Sequence[Mapping[str, Any]]) -> bool:
        """The row is taken for the likeliest record in scope, if there is one."""
        likely = next((each["member_id"] for each in found if not each["masked"]), None)
        if likely is None:
            return False
        self.read({likely})
        made.writes, made.entity_id = {}, None
        self.meet(row, made, likely, None, untouched=False)
        return True


def _find_same_record(pairs: Sequence[tuple[Given, RowPlan]]) -> None:
    """Of rows that would correct one record the first does."""
    met: dict[UUID, int] = {}
    for row, made in pairs:
        if made.outcome is not RowOutcome.updated or made.entity_id is None:
            continue
        first = met.setdefault(made.entity_id, row.number)
        if first != row.number:
            made.outcome = RowOutcome.duplicate
            made.problems.append(wrong("row_repeated", "full_name", level="warning", row=first))


def _same_person(row: Given, made: RowPlan) -> Iterator[Key]:
    if row.values.get("id") is not None:
        yield "id", row.values["id"]
        return
    if made.outcome is not RowOutcome.created or not made.writes:
        return
    if number := made.writes.get("citizen_id"):
        yield "citizen_id", number
    born = made.writes["birth_date"]
    if len(born) == len("1968-05-17"):
        yield "born", made.writes["full_name"].casefold(), born, str(made.unit_id)
    yield "row", row.fingerprint, str(made.unit_id)


def _person(writes: Mapping[str, Any]) -> ComparedPerson:
    return ComparedPerson(
        writes["full_name"],
        writes["birth_date"],
        writes["branch_id"],
        writes.get("phone"),
        writes.get("citizen_id"),
        writes.get("id_card"),
    )


def _is_likely(told: Mapping[str, Any]) -> bool:
    """Too likely to be made twice; anybody less like her is made, and the pair goes to the inbox."""
    codes = {reason["code"] for reason in told["reasons"]}
    return told["score"] >= _LIKELY or bool(codes & _NUMBERS)


def _candidate(told: Mapping[str, Any]) -> Json:
    kept = ("full_name", "score", "masked", "unit")
    member_id = told["member_id"]
    return {name: told[name] for name in kept} | {
        "member_id": None if member_id is None else str(member_id)
    }


# -- writing


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
            body = MemberCreate.model_validate(row.writes | {"id": str(row.entity_id)})
            admissions.append(Admission(body, branch, row.ref))
    batches.admit(session, admissions)
    known = [row for row in rows if row.outcome is RowOutcome.updated]
    return refused | _correct(session, actor, known)


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
        if code := _closed(actor, record):
            refused[row.number] = wrong(code, "id")
            continue
        if record["revision"] != row.entity_revision:
            refused[row.number] = wrong("record_changed", "id")
            continue
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


def _closed(actor: Actor, record: Mapping[str, Any]) -> FieldCode | None:
    """Why nothing may be written to a record that is otherwise hers to write."""
    if record["erased_on"] is not None:
        return "row_of_erased"
    if record["restricted"] and not _covers(actor, Right.privacy_manage, record):
        return "row_of_restricted"
    return None


class _Stands:
    """Where a record stands, as a scope compares it."""

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
            statement: AnySelect = sa.select(*_RECORD).where(col(Member.id).in_(chunk))
            people += [duplicates.person_of(row) for row in db.execute(statement)]
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


# -- taking back


def obstacles(db: Db, rows: Sequence[Done]) -> dict[int, FieldCode]:
    """What has happened since to the records of these rows, by number."""
    found: dict[int, FieldCode] = {}
    for chunk in chunks(rows):
        ids = [row.entity_id for row in chunk]
        revisions = _revisions(db, ids)
        created = [row.entity_id for row in chunk if row.outcome is RowOutcome.created]
        moved, named = _with_history(db, created), _named_elsewhere(db, created)
        for row in chunk:
            if row.entity_id not in revisions:
                found[row.number] = "record_gone"
            elif revisions[row.entity_id] != row.entity_revision:
                found[row.number] = "record_changed"
            elif row.entity_id in moved:
                found[row.number] = "record_has_history"
            elif row.entity_id in named:
                found[row.number] = "record_in_use"
    return found


def _revisions(db: Db, ids: Sequence[UUID]) -> dict[UUID, int]:
    columns = sa.select(col(Member.id), col(Member.revision)).where(col(Member.id).in_(ids))
    return {row.id: row.revision for row in db.execute(columns)}


def _with_history(db: Db, ids: Sequence[UUID]) -> set[UUID]:
    """Whose membership is no longer the one she was admitted with."""
    member = col(Membership.member_id)
    statement = (
        sa.select(member)
        .where(member.in_(ids))
        .group_by(member)
        .having(sa.or_(sa.func.count() > 1, sa.func.max(col(Membership.revision)) > 1))
    )
    return set(db.execute(statement).scalars())


_OWN_TABLES = ("membership", "member_identifier", "import_row")


def _named_elsewhere(db: Db, ids: Sequence[UUID]) -> set[UUID]:
    """Whom any other record names: posts, accounts, groups, whatever refers to members."""
    merged: AnySelect = sa.select(col(Merge.kept_id)).where(
        col(Merge.kept_id).in_(ids), col(Merge.state) == MergeState.merged
    )
    elsewhere = named_elsewhere(db, "member.id", _OWN_TABLES, ids)
    return elsewhere | set(db.execute(merged).scalars())


def take_back(session: Session, actor: Actor, rows: Sequence[Done]) -> None:
    """Undo rows that nothing stands in the way of: new records go, corrections are reversed."""
    admitted = {row.entity_id: row.ref for row in rows if row.outcome is RowOutcome.created}
    batches.withdraw(session, admitted)
    duplicates.forget(session, sorted(admitted))
    corrected = [row for row in rows if row.outcome is RowOutcome.updated]
    records = batches.locked(session, {row.entity_id for row in corrected})
    before = _before(session, corrected)
    batches.correct(
        session,
        actor,
        records,
        [Correction(row.entity_id, before[row.entity_id], row.ref) for row in corrected],
    )


def _before(session: Session, rows: Sequence[Done]) -> dict[UUID, dict[str, Any]]:
    """The fields that the corrections changed, as they were: the change log knows."""
    tracked = tracked_of(Member)
    revision = {str(row.entity_id): row.entity_revision for row in rows}
    vault = vault_of(session)
    statement: AnySelect = sa.select(
        col(Change.entity_id), col(Change.revision), col(Change.before)
    ).where(
        col(Change.entity) == tracked.entity,
        col(Change.entity_id).in_(list(revision)),
    )
    found: dict[UUID, dict[str, Any]] = {}
    for entity_id, at, before in session.execute(statement):
        if at != revision[entity_id] or not before:
            continue
        opened = {
            name: vault.open(value, tracked.sealed[name])
            if value and name in tracked.sealed
            else value
            for name, value in before.items()
        }
        found[UUID(entity_id)] = MemberUpdate.model_validate(opened).model_dump(exclude_unset=True)
    return found


MEMBERS: Final = KindOfList(
    name="members",
    right=Right.members_write,
    masks=members.MASKS,
    plan=plan,
    write=write,
    finish=finish,
    obstacles=obstacles,
    take_back=take_back,
)
