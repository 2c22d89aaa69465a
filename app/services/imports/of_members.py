"""Lists of members: the record a row matches, and what it would change.

A row stands for the record of its `Mã`, or for that of the very same row of an earlier import. Any
other row is somebody new, unless the matcher finds somebody like her: then it is held until
somebody decides. The rules are those of POST and PATCH /v1/members, applied by the set.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from pydantic import ValidationError
from sqlmodel import col

from app.db import AnySelect, chunks
from app.errors import Problem
from app.models.base import new_id
from app.models.duplicates.duplicates import Reason
from app.models.imports.imports import Duplicates, EmptyCells, RowDecision, RowOutcome
from app.models.kernel.access import Right
from app.models.members.fields import less_exact
from app.models.members.members import Member, MemberCreate, MemberOnDay, MemberUpdate, PartyStatus
from app.services.duplicates import candidates, matching
from app.services.duplicates.candidates import Told
from app.services.duplicates.compared import ComparedPerson
from app.services.duplicates.pairs import asked_about
from app.services.imports.kinds import wrong
from app.services.imports.of_members_undo import obstacles, take_back
from app.services.imports.of_members_writing import RECORD, closed, finish, write
from app.services.imports.planning import Key, Pairs, Planner, as_json, find_repeated
from app.services.imports.refusals import field_errors
from app.services.imports.units import Branch, Branches
from app.services.kernel.access import Actor, Db
from app.services.kernel.actors import reach_of
from app.services.kernel.list_kinds import Earlier, Frame, Given, Json, KindOfList, RowPlan
from app.services.members import batches, checks, elsewhere, merged
from app.services.members import record as members
from app.services.members.checks import Doubt

_WRITTEN = tuple(MemberUpdate.model_fields)
_NEVER_EMPTY = frozenset({"full_name", "birth_date", "gender", "kind", "core"})
# A year does not replace the day that is on record.
_DAYS = ("birth_date", "joined_on", "party_joined_on")
# The same name and year in one branch, or the whole date in one commune (`matching.REASONS`).
_LIKELY = 70
_NUMBERS = {Reason.citizen_id_same, Reason.id_card_same}


def plan(
    db: Db, actor: Actor, frame: Frame, rows: Sequence[Given], earlier: Earlier
) -> list[RowPlan]:
    """What each row would do, in the order of `rows`. Reads: a handful for each thousand rows."""
    return _Planner(db, actor, frame).plan(rows, earlier)


class _Planner(Planner):
    entity = "member"

    def __init__(self, db: Db, actor: Actor, frame: Frame) -> None:
        super().__init__(db, actor, frame, Branches(db, actor, frame.unit, Right.members_write))
        self.reach = reach_of(db, frame.unit)
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

    def accept(self, row: Given, made: RowPlan) -> None:
        super().accept(row, made)
        agreed = "party" in row.accepted or "party_date_alone" in self.frame.accept
        if agreed and row.values.get("party_joined_on") and row.values.get("party") is None:
            row.values["party"] = PartyStatus.member.value

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
            statement: AnySelect = sa.select(*RECORD).where(col(Member.id).in_(chunk))
            for row in self.db.execute(statement):
                if self.actor.covers(Right.members_read, row):
                    self.records[row.id] = row._asdict() | {"row": row}

    def meet(
        self, row: Given, made: RowPlan, target: UUID, unit: Branch | None, *, untouched: bool
    ) -> None:
        """The changes of an existing record."""
        record = self.records.get(target)
        if record is None:
            self.refuse(made, row, "id", "member_unknown")
            return
        if code := closed(self.actor, record):
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
        made.checked = {n: value for n, value in changed.items() if value != record.get(n)}
        made.outcome = RowOutcome.updated if made.checked else RowOutcome.same
        made.writes = as_json(made.checked)

    def _validated_update(self, row: Given, made: RowPlan, record: Mapping[str, Any]) -> Json:
        given = dict(self._told(row, made, record))
        try:
            sent = MemberUpdate.model_validate(given).model_dump(exclude_unset=True)
            changed = members.renamed(record, sent)
            members.ensure_consistent({**record, **changed})
        except ValidationError as error:
            self.refuse_all(made, row, field_errors(error))
            return {}
        except Problem as problem:
            self._refuse_contradiction(made, row, problem)
            return {}
        return changed

    def _told(
        self, row: Given, made: RowPlan, record: Mapping[str, Any]
    ) -> Iterator[tuple[str, Any]]:
        """The values of the row for a record.

        A field that the actor may not see is left as it is, with a warning where the row fills it
        in.
        """
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
            if name in _DAYS and value and record[name] and less_exact(value, record[name]):
                continue
            if value is not None or clears:
                yield name, value

    def _new(self, row: Given, made: RowPlan, branch: Branch) -> bool:
        """Somebody new, as POST /v1/members would take her."""
        given = {name: row.values[name] for name in _WRITTEN if row.values.get(name) is not None}
        given = {"joined_on": None, **given, "branch_id": branch.id}
        wrong_fields = made.wrong_fields
        try:
            body = MemberCreate.model_validate(given)
            members.ensure_consistent(body.model_dump())
        except ValidationError as error:
            errors = field_errors(error)
            shown = [e for e in errors if e.pointer.strip("/") not in wrong_fields]
            self.refuse_all(made, row, shown)
            return False
        except Problem as problem:
            self._refuse_contradiction(made, row, problem)
            return False
        made.writes = body.model_dump(mode="json", exclude_unset=True)
        made.entity_id, made.checked = new_id(), body
        self._doubt(row, made, body)
        return not made.wrong_fields

    def _refuse_contradiction(self, made: RowPlan, row: Given, problem: Problem) -> None:
        """A day in the Party beside an empty cell says that she is in it: that is proposed."""
        [error] = problem.errors
        if error.code == "party_date_alone" and row.values.get("party") is None:
            member = PartyStatus.member.value
            self.refuse(made, row, "party", error.code, proposal=member)
        else:
            self.refuse_all(made, row, problem.errors)

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
        told = candidates.told_many(self.db, self.actor, lists)
        for (row, made), person, found in zip(asked, people, told, strict=True):
            shown = self._may_tell(row, made, person, found)
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

    def _may_tell(self, row: Given, made: RowPlan, person: ComparedPerson, found: Told) -> Told:
        """The candidates, those out of scope within the budget; a row beyond it says that it was
        not compared with them, whether or not there are any."""
        compared = elsewhere.may_ask(self.db, self.actor)
        if compared and any(each["masked"] for each in found):
            compared = elsewhere.count(self.db, self.actor, asked_about(person))
        if compared:
            return found
        self.refuse(made, row, "full_name", "not_compared_elsewhere", level="warning")
        return [each for each in found if not each["masked"]]

    def _becomes(self, row: Given, made: RowPlan, found: Sequence[Mapping[str, Any]]) -> bool:
        """The row is taken for the likeliest record in scope, if there is one."""
        likely = next((each["member_id"] for each in found if not each["masked"]), None)
        if likely is None:
            return False
        self.read({likely})
        made.writes, made.entity_id, made.checked = {}, None, None
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


MEMBERS: Final = KindOfList(
    name="members",
    entity="member",
    right=Right.members_write,
    masks=members.MASKS,
    plan=plan,
    write=write,
    finish=finish,
    hold=batches.locked,
    obstacles=obstacles,
    take_back=take_back,
    listed=MemberOnDay,
)
