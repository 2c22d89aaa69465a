"""Lists of households: one row is one household, known by its head.

A row stands for the household of its `Mã`, of the very same row of an earlier import, of its code
within the commune, or of the member who heads it. One that may be on record is held until somebody
decides. The rules are those of POST and PATCH /v1/households, by the functions that serve them.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final
from uuid import UUID

from pydantic import ValidationError
from sqlmodel import col

from app.db import chunks
from app.errors import Problem
from app.models.base import new_id
from app.models.households.households import Household, HouseholdCreate, HouseholdUpdate
from app.models.households.lists import HouseholdItem
from app.models.imports.imports import Duplicates, EmptyCells, RowDecision, RowOutcome
from app.models.kernel.access import Right
from app.problem_texts import FieldCode
from app.services.households import forming, households, lists, resemblance
from app.services.imports import people
from app.services.imports.forms import KindOfForm
from app.services.imports.kinds import wrong
from app.services.imports.planning import (
    Key,
    Pairs,
    Planner,
    as_json,
    find_repeated,
    spare_name,
)
from app.services.imports.refusals import field_errors
from app.services.imports.units import Branch, Branches
from app.services.kernel.access import Actor, Db
from app.services.kernel.actors import reach_of
from app.services.kernel.list_kinds import Earlier, Frame, Given, Json, KindOfList, RowPlan
from app.services.members.persons import births_agree
from app.text import search_key

_WRITTEN = tuple(HouseholdUpdate.model_fields)
_FLAGS = frozenset({"ethnic_minority", "merit", "no_labour_capacity"})
_OF_NEW = (*_WRITTEN, "address", "area_type", "opened_on")
# What only an act changes (a move, another head): by the field of the record.
_BY_ACTS = {
    "head_member_id": "head_id",
    "address": "address",
    "area_type": "area_type",
    "opened_on": "opened_on",
}
_PLACES = {
    "people": "head_name",
    "people/0/member_id": "head_member_id",
    "people/0/full_name": "head_name",
    "people/0/birth_date": "head_birth_date",
    "people/0/gender": "head_gender",
    "branch_id": "branch",
}


# -- planning


def plan(
    db: Db, actor: Actor, frame: Frame, rows: Sequence[Given], earlier: Earlier
) -> list[RowPlan]:
    """What each row would do, in the order of `rows`. Reads: a few for each row that is new."""
    return _Planner(db, actor, frame).plan(rows, earlier)


class _Planner(Planner):
    entity = "household"
    places = _PLACES

    def __init__(self, db: Db, actor: Actor, frame: Frame) -> None:
        super().__init__(db, actor, frame, Branches(db, actor, frame.unit, Right.members_write))
        self.reach = reach_of(db, frame.unit)
        # Where each row's household would stand.
        self.communes: dict[int, int | None] = {}

    def find_unit(self, row: Given, made: RowPlan) -> Branch | None:
        if row.values.get("id") or row.values.get("head_member_id"):
            spare_name(made, "head_name")
        return self.open_branch(row, made)

    def read(self, household_ids: set[UUID]) -> None:
        wanted = sorted(household_ids)
        for chunk in chunks(wanted):
            for record in lists.known(self.db, col(Household.id).in_(chunk)):
                if self.actor.covers(Right.members_read, record):
                    self.records[record.id] = record

    @cached_property
    def coded(self) -> Mapping[tuple[int | None, str], list[Any]]:
        """Households of today with the codes of the list, by commune and code."""
        found: dict[tuple[int | None, str], list[Any]] = {}
        codes = sorted({row.values["code"] for row in self.rows if row.values.get("code")})
        for chunk in chunks(codes):
            for record in resemblance.of_codes(self.db, self.actor, chunk):
                found.setdefault((record.commune_id, record.code), []).append(record)
        return found

    # -- a household on record

    def meet(
        self, row: Given, made: RowPlan, target: UUID, unit: Branch | None, *, untouched: bool
    ) -> None:
        """The changes of a household on record."""
        record = self.records.get(target)
        if record is None:
            self.refuse(made, row, "id", "household_unknown")
            return
        made.entity_id, made.entity_revision = target, record.revision
        if untouched:
            made.outcome, made.unit_id = RowOutcome.same, record.branch_id
            return
        here = self.reach.contains(record)
        if not here or not self.actor.covers(Right.members_write, record):
            self.refuse(made, row, "id", "household_elsewhere")
            return
        if record.closed_on is not None:
            self.refuse(made, row, "id", "household_closed")
            return
        if unit is not None and unit.id != record.branch_id:
            self.refuse(made, row, "branch", "act_needed")
            return
        made.unit_id = record.branch_id
        self._compare_acts(row, made, record)
        try:
            told = dict(self._told(row, made, record))
            changed = HouseholdUpdate.model_validate(told).model_dump(exclude_unset=True)
        except ValidationError as error:
            self.refuse_all(made, row, field_errors(error))
            return
        changed = {name: v for name, v in changed.items() if v != getattr(record, name)}
        made.outcome = RowOutcome.updated if changed else RowOutcome.same
        made.writes = as_json(changed)

    def _compare_acts(self, row: Given, made: RowPlan, record: Any) -> None:
        for field, name in _BY_ACTS.items():
            said, known = row.values.get(field), getattr(record, name)
            if said is not None and str(said) != str(getattr(known, "value", known)):
                self.refuse(made, row, field, "act_needed")
        named = row.values.get("head_name")
        if named is not None and search_key(named) != search_key(record.head_name):
            self.refuse(made, row, "head_name", "act_needed")

    def _told(self, row: Given, made: RowPlan, record: Any) -> Iterator[tuple[str, Any]]:
        """The values of the row for a household.

        A field that the actor may not see is left as it is, with a warning where the row fills it
        in.
        """
        unseen = set(row.values.get("masked") or ())
        clears = self.frame.empty_cells is EmptyCells.clear
        for name in _WRITTEN:
            if name not in row.values:
                continue
            value, right = row.values[name], households.MASKS.get(name)
            if name in unseen or (right is not None and not self.actor.covers(right, record)):
                if value is not None:
                    self.refuse(made, row, name, "masked_field", level="warning")
            elif value is not None:
                yield name, value
            elif clears:
                yield name, False if name in _FLAGS else None

    def compare_rows(self, pairs: Pairs) -> None:
        """As with a household on record: of one code in the commune, or of one head."""
        find_repeated(pairs, self._same_household, "head_name")
        self._find_repeated_heads(pairs)

    def _find_repeated_heads(self, pairs: Pairs) -> None:
        """Heads that are no members, of one name in one branch, whose births may be one."""
        met: dict[tuple[int | None, str], list[tuple[int, str | None]]] = {}
        for row, made in pairs:
            if made.outcome is not RowOutcome.created or not made.writes:
                continue
            [head] = made.writes["people"]
            if head.get("full_name") is None:
                continue
            birth = head.get("birth_date")
            before = met.setdefault((made.unit_id, search_key(head["full_name"])), [])
            same = [number for number, other in before if _may_be_one(birth, other)]
            if same and row.decision is not RowDecision.create:
                made.outcome = RowOutcome.duplicate
                told = wrong("row_repeated", "head_name", level="warning", row=same[0])
                made.problems.append(told)
            before.append((row.number, birth))

    def _same_household(self, row: Given, made: RowPlan) -> Iterator[Key]:
        if made.entity_revision is not None:
            yield "id", str(made.entity_id)
            return
        if made.outcome is not RowOutcome.created or not made.writes:
            return
        yield "row", row.fingerprint, str(made.unit_id)
        [head] = made.writes["people"]
        if "member_id" in head:
            yield "head", head["member_id"]
        if code := made.writes.get("code"):
            yield "code", code, str(self.communes.get(made.unit_id or 0))

    # -- a household that may be new

    def settle_new(self, row: Given, made: RowPlan, branch: Branch) -> None:
        """A new household, unless it is found to be one on record."""
        self.communes[branch.id] = branch.commune_id
        doubtful = row.decision is not RowDecision.create
        same = self._of_code(row, branch)
        sure = [each for each in same if _same_head(row, each) and each.branch_id == branch.id]
        if len(sure) == 1 and doubtful:
            self._becomes(row, made, sure[0], branch)
            return
        if same and doubtful:
            self._hold(row, made, same, branch, "household_may_be_known", "code")
            return
        head = self._head(row, made, branch)
        if head is None:
            return
        others = resemblance.of_head(self.db, self.actor, branch.id, head)
        if head.get("member_id") is not None and others:
            self._becomes(row, made, others[0], branch)
        elif others and doubtful:
            self._hold(row, made, others, branch, "household_may_be_known", "head_name")
        else:
            self._new(row, made, branch, head)

    def _of_code(self, row: Given, branch: Branch) -> list[Any]:
        return self.coded.get((branch.commune_id, row.values.get("code") or ""), [])

    def _becomes(self, row: Given, made: RowPlan, record: Any, branch: Branch) -> None:
        self.records[record.id] = record
        self.meet(row, made, record.id, branch, untouched=False)

    def _hold(
        self,
        row: Given,
        made: RowPlan,
        records: Sequence[Any],
        branch: Branch,
        code: FieldCode,
        field: str,
    ) -> None:
        """It waits for a decision, or is taken for the first of them where that was decided."""
        takes = row.decision is RowDecision.update or self.frame.duplicates is Duplicates.update
        if takes:
            self._becomes(row, made, records[0], branch)
            return
        units = people.units_of(self.db, {each.branch_id for each in records})
        made.candidates = [
            {
                "member_id": None,
                "household_id": str(each.id),
                "full_name": each.head_name,
                "score": 100 if _same_head(row, each) else 50,
                "masked": False,
                "unit": units[each.branch_id],
            }
            for each in records
        ]
        made.outcome = RowOutcome.duplicate
        self.refuse(made, row, field, code, level="warning")

    def _head(self, row: Given, made: RowPlan, branch: Branch) -> Json | None:
        """The head as a form would name her; None when the row waits for a decision on who she is."""
        said = row.values
        if said.get("head_member_id") is not None:
            return {"member_id": said["head_member_id"], "relation": "head"}
        name, birth = said.get("head_name"), said.get("head_birth_date")
        own = {"full_name": name, "birth_date": birth, "gender": said.get("head_gender")}
        own = {field: value for field, value in own.items() if value is not None}
        stranger = own | {"relation": "head"}
        if name is None:
            if not made.wrong_fields:
                self.refuse(made, row, "head_name", "required")
            return stranger
        unit = self.units.reach(branch)
        found = people.find(self.db, self.actor, unit, name, birth, said.get("citizen_id"))
        if found.member is not None:
            return {"member_id": str(found.member.id), "relation": "head"}
        if not found.maybe or row.decision is RowDecision.create:
            return stranger
        made.candidates = people.candidates(self.db, found.maybe)
        if row.decision is RowDecision.update:
            return {"member_id": str(found.maybe[0].id), "relation": "head"}
        made.outcome = RowOutcome.duplicate
        self.refuse(made, row, "head_name", "head_may_be_known", level="warning")
        return None

    def _new(self, row: Given, made: RowPlan, branch: Branch, head: Json) -> None:
        """A new household, as POST /v1/households would take it."""
        given = {name: row.values[name] for name in _OF_NEW if row.values.get(name) is not None}
        given |= {"branch_id": branch.id, "people": [head]}
        known = made.wrong_fields
        try:
            body = HouseholdCreate.model_validate(given)
            if not known:
                forming.ensure_possible(self.db, self.actor, body)
        except ValidationError as error:
            self.refuse_all(made, row, field_errors(error))
            return
        except Problem as problem:
            self.refuse_problem(made, row, problem, "head_name")
            return
        made.writes = body.model_dump(mode="json", exclude_unset=True)
        made.entity_id = new_id()


def _same_head(row: Given, record: Any) -> bool:
    said = row.values.get("head_member_id")
    if said is not None:
        return bool(said == str(record.head_id))
    return search_key(row.values.get("head_name") or "") == search_key(record.head_name)


def _may_be_one(one: str | None, other: str | None) -> bool:
    return one is None or other is None or births_agree(one, other)


FORM = KindOfForm(
    model=Household,
    create=HouseholdCreate,
    update=HouseholdUpdate,
    enter=forming.create,
    correct=households.update,
    withdraw=households.withdraw,
    restore=households.restore,
    hold=households.hold_many,
    in_use=households.in_use,
    own_tables=(
        "household_place",
        "household_person",
        "household_event",
        "household_external_id",
    ),
    field="head_name",
    places=_PLACES,
)
HOUSEHOLDS: Final = KindOfList(
    name="households",
    entity="household",
    right=Right.members_write,
    masks=households.MASKS | {"citizen_id": Right.members_citizen_id},
    plan=plan,
    write=FORM.write,
    finish=FORM.finish,
    hold=FORM.hold,
    obstacles=FORM.obstacles,
    take_back=FORM.take_back,
    listed=HouseholdItem,
)
