"""Lists of households: one row is one household, known by its head.

A row stands for the household of its `Mã`, of the very same row of an earlier import, of its code
within the commune, or of the member who heads it. One that may be on record is held until somebody
decides. The rules are those of POST and PATCH /v1/households, by the functions that serve them.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from sqlmodel import Session, col

from app.db import Database
from app.errors import Problem
from app.models.base import new_id
from app.models.households.households import Household, HouseholdCreate, HouseholdUpdate
from app.models.imports.imports import Decision, Duplicates, EmptyCells, ImportKind, Outcome
from app.models.kernel.access import Right
from app.services.households import households
from app.services.imports import people, writing
from app.services.imports.kinds import (
    Done,
    Due,
    Earlier,
    Frame,
    Given,
    Json,
    KindOfList,
    Plan,
    register,
    wrong,
)
from app.services.imports.planning import (
    Planner,
    as_json,
    field_errors,
    settle,
    targets_of,
)
from app.services.imports.units import Branch, Branches, NotFound
from app.services.imports.writing import CHUNK
from app.services.kernel.access import Actor, Db, reach_of
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
_OWN_TABLES = frozenset({"household_place", "household_person", "household_event"})
_PLACES = {
    "people": "head_name",
    "people/0/member_id": "head_member_id",
    "people/0/full_name": "head_name",
    "people/0/birth_date": "head_birth_date",
    "people/0/gender": "head_gender",
    "branch_id": "branch",
}


# -- planning


def plan(db: Db, actor: Actor, frame: Frame, rows: Sequence[Given], earlier: Earlier) -> list[Plan]:
    """What each row would do, in the order of `rows`. Reads: a few for each row that is new."""
    return _Planner(db, actor, frame).plan(rows, earlier)


class _Planner(Planner):
    places = _PLACES

    def __init__(self, db: Db, actor: Actor, frame: Frame) -> None:
        super().__init__(db, actor, frame)
        self.reach = reach_of(db, frame.unit)
        self.branches = Branches(db, actor, frame.unit, Right.members_write)
        self.records: dict[UUID, Any] = {}
        self.coded: dict[tuple[int | None, str], list[Any]] = {}

    def plan(self, rows: Sequence[Given], earlier: Earlier) -> list[Plan]:
        plans = [Plan(Outcome.created, problems=list(row.problems)) for row in rows]
        pairs = list(zip(rows, plans, strict=True))
        found: list[Branch | None] = []
        for row, made in pairs:
            self.accept(row, made)
            _spare_name(row, made)
            found.append(self._branch(row, made))
        targets, untouched = targets_of(self.db, pairs, earlier)
        self._read({target for target in targets if target is not None})
        targets = self.without_taken_back(pairs, targets, self.records)
        self._read_codes(rows)
        for (row, made), as_left, target, branch in zip(
            pairs, untouched, targets, found, strict=True
        ):
            if row.decision is Decision.skip:
                made.outcome = Outcome.skipped
            elif target is not None and (row.values.get("id") or target in self.records):
                self._meet(row, made, target, branch, untouched=as_left)
            elif branch is not None:
                self._settle_new(row, made, branch)
            elif not made.problems:  # its id was taken back, and it names no branch
                self.refuse(made, row, "branch", "required")
        _find_repeated(list(pairs))
        settle(plans)
        return plans

    def _branch(self, row: Given, made: Plan) -> Branch | None:
        branch = self.branches.find(row.values)
        nearest = branch.nearest if isinstance(branch, NotFound) else None
        if nearest and ("branch" in row.accepted or "unit_unknown" in self.frame.accept):
            branch = self.branches.find({"branch": nearest})
        field = "branch_id" if row.values.get("branch_id") is not None else "branch"
        if isinstance(branch, Branch):
            made.unit_id = branch.id
            if branch.closed and row.values.get("id") is None:
                self.refuse(made, row, field, "unit_not_open")
            return branch
        if branch is not None:
            self.refuse(made, row, field, branch.code, proposal=branch.nearest)
        elif row.values.get("id") is None:
            self.refuse(made, row, field, "required")
        return None

    def _read(self, household_ids: set[UUID]) -> None:
        wanted = sorted(household_ids)
        for start in range(0, len(wanted), CHUNK):
            chunk = wanted[start : start + CHUNK]
            for record in households.known(self.db, col(Household.id).in_(chunk)):
                if self.actor.covers(Right.members_read, record):
                    self.records[record.id] = record

    def _read_codes(self, rows: Sequence[Given]) -> None:
        """Households of today with the codes of the list, in the communes of its branches."""
        codes = sorted({row.values["code"] for row in rows if row.values.get("code")})
        for start in range(0, len(codes), CHUNK):
            chunk = codes[start : start + CHUNK]
            still = col(Household.closed_on).is_(None)
            for record in households.known(self.db, col(Household.code).in_(chunk), still):
                if self.actor.covers(Right.members_read, record):
                    self.coded.setdefault((record.commune_id, record.code), []).append(record)

    # -- a household on record

    def _meet(
        self, row: Given, made: Plan, target: UUID, branch: Branch | None, *, untouched: bool
    ) -> None:
        """The row stands for a household: what would change of it."""
        record = self.records.get(target)
        if record is None:
            self.refuse(made, row, "id", "household_unknown")
            return
        made.entity_id, made.entity_revision = target, record.revision
        if untouched:
            made.outcome, made.unit_id = Outcome.same, record.branch_id
            return
        here = self.reach.contains(record)
        if not here or not self.actor.covers(Right.members_write, record):
            self.refuse(made, row, "id", "household_elsewhere")
            return
        if record.closed_on is not None:
            self.refuse(made, row, "id", "household_closed")
            return
        if branch is not None and branch.id != record.branch_id:
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
        made.outcome = Outcome.updated if changed else Outcome.same
        made.writes = as_json(HouseholdUpdate, changed)

    def _compare_acts(self, row: Given, made: Plan, record: Any) -> None:
        for field, name in _BY_ACTS.items():
            said, known = row.values.get(field), getattr(record, name)
            if said is not None and str(said) != str(getattr(known, "value", known)):
                self.refuse(made, row, field, "act_needed")
        named = row.values.get("head_name")
        if named is not None and search_key(named) != search_key(record.head_name):
            self.refuse(made, row, "head_name", "act_needed")

    def _told(self, row: Given, made: Plan, record: Any) -> Iterator[tuple[str, Any]]:
        """What the row says of a household. A field that its writer may not see it does not touch,
        and says so where somebody has filled it in."""
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

    # -- a household that may be new

    def _settle_new(self, row: Given, made: Plan, branch: Branch) -> None:
        """A new household, unless it is found to be one on record."""
        doubtful = row.decision is not Decision.create
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
        others = self._of_head(head, branch)
        if head.get("member_id") is not None and others:
            self._becomes(row, made, others[0], branch)
        elif others and doubtful:
            self._hold(row, made, others, branch, "household_may_be_known", "head_name")
        else:
            self._new(row, made, branch, head)

    def _of_code(self, row: Given, branch: Branch) -> list[Any]:
        return self.coded.get((branch.commune_id, row.values.get("code") or ""), [])

    def _of_head(self, head: Mapping[str, Any], branch: Branch) -> Sequence[Any]:
        """Households of today that this person heads: a member anywhere; somebody else of her name
        in the branch, unless their births tell them apart."""
        still = col(Household.closed_on).is_(None)
        if head.get("member_id") is not None:
            those = [col(Household.head_id) == UUID(head["member_id"])]
        elif head.get("full_name") is None:
            return []
        else:
            named = col(Household.search_key) == search_key(head["full_name"])
            those = [col(Household.branch_id) == branch.id, named]
        seen = [
            each
            for each in households.known(self.db, still, *those)
            if self.actor.covers(Right.members_read, each)
        ]
        if head.get("member_id") is not None or head.get("birth_date") is None or not seen:
            return seen
        births = households.births_of_heads(self.db, [each.id for each in seen])
        return [
            each
            for each in seen
            if births[each.id] is None or people.agree(births[each.id], head["birth_date"])
        ]

    def _becomes(self, row: Given, made: Plan, record: Any, branch: Branch) -> None:
        self.records[record.id] = record
        self._meet(row, made, record.id, branch, untouched=False)

    def _hold(
        self,
        row: Given,
        made: Plan,
        records: Sequence[Any],
        branch: Branch,
        code: str,
        field: str,
    ) -> None:
        """It waits for a decision, or is taken for the first of them where that was decided."""
        takes = row.decision is Decision.update or self.frame.duplicates is Duplicates.update
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
        made.outcome = Outcome.duplicate
        self.refuse(made, row, field, code, level="warning")

    def _head(self, row: Given, made: Plan, branch: Branch) -> Json | None:
        """The head as a form would name her; None when the row waits for a decision on who she is."""
        said = row.values
        if said.get("head_member_id") is not None:
            return {"member_id": said["head_member_id"], "relation": "head"}
        name, birth = said.get("head_name"), said.get("head_birth_date")
        own = {"full_name": name, "birth_date": birth, "gender": said.get("head_gender")}
        own = {field: value for field, value in own.items() if value is not None}
        stranger = own | {"relation": "head"}
        if name is None:
            if not made.problems:
                self.refuse(made, row, "head_name", "required")
            return stranger
        unit = self.branches.reach(branch)
        found = people.find(self.db, self.actor, unit, name, birth, said.get("citizen_id"))
        if found.member is not None:
            return {"member_id": str(found.member.id), "relation": "head"}
        if not found.maybe or row.decision is Decision.create:
            return stranger
        made.candidates = people.candidates(self.db, found.maybe)
        if row.decision is Decision.update:
            return {"member_id": str(found.maybe[0].id), "relation": "head"}
        made.outcome = Outcome.duplicate
        self.refuse(made, row, "head_name", "head_may_be_known", level="warning")
        return None

    def _new(self, row: Given, made: Plan, branch: Branch, head: Json) -> None:
        """A new household, as POST /v1/households would take it."""
        given = {name: row.values[name] for name in _OF_NEW if row.values.get(name) is not None}
        given |= {"branch_id": branch.id, "people": [head]}
        known = {problem["field"] for problem in made.problems}
        try:
            body = HouseholdCreate.model_validate(given)
            if not known:
                households.ensure_possible(self.db, self.actor, body)
        except ValidationError as error:
            self.refuse_all(made, row, field_errors(error))
            return
        except Problem as problem:
            self.refuse_problem(made, row, problem, "head_name")
            return
        made.writes = body.model_dump(mode="json", exclude_unset=True)
        made.entity_id = new_id()


def _spare_name(row: Given, made: Plan) -> None:
    """Who is given by an id needs no name."""
    if row.values.get("id") or row.values.get("head_member_id"):
        made.problems = [
            each
            for each in made.problems
            if (each["field"], each["code"]) != ("head_name", "required")
        ]


def _same_head(row: Given, record: Any) -> bool:
    said = row.values.get("head_member_id")
    if said is not None:
        return bool(said == str(record.head_id))
    return search_key(row.values.get("head_name") or "") == search_key(record.head_name)


def _find_repeated(pairs: Sequence[tuple[Given, Plan]]) -> None:
    """Rows of a list that say the same household twice: the first counts."""
    met: dict[tuple[str, ...], int] = {}
    for row, made in pairs:
        if made.outcome is Outcome.skipped:
            continue
        for key in _same_household(row, made):
            first = met.setdefault(key, row.number)
            if first == row.number or (row.decision is Decision.create and key[0] != "id"):
                continue
            is_id = key[0] == "id"
            made.outcome = Outcome.error if is_id else Outcome.duplicate
            code, level = ("row_id_repeated", "error") if is_id else ("row_repeated", "warning")
            field = "id" if is_id else "head_name"
            made.problems.append(wrong(code, field, level=level, row=first))
            break


def _same_household(row: Given, made: Plan) -> Iterator[tuple[str, ...]]:
    if made.entity_revision is not None:
        yield "id", str(made.entity_id)
        return
    if made.outcome is not Outcome.created or not made.writes:
        return
    yield "row", row.fingerprint, str(made.unit_id)
    [head] = made.writes["people"]
    if "member_id" in head:
        yield "head", head["member_id"]
    if code := made.writes.get("code"):
        yield "code", code, search_key(row.values.get("head_name") or ""), str(made.unit_id)


# -- writing


def write(session: Session, actor: Actor, rows: Sequence[Due]) -> dict[int, Json]:
    """Write rows one by one; what has changed since the preview is refused, by number."""

    def one(row: Due) -> None:
        if row.outcome is Outcome.created:
            body = HouseholdCreate.model_validate(row.writes | {"id": str(row.entity_id)})
            households.create(session, actor, body)
        else:
            changed = HouseholdUpdate.model_validate(row.writes)
            households.update(session, actor, row.entity_id, changed, row.entity_revision)

    return writing.write_each(session, rows, one, "head_name", _PLACES)


def finish(database: Database, household_ids: Sequence[UUID]) -> None:
    """Nothing follows: there is no inbox of households."""


# -- taking back


def obstacles(db: Db, rows: Sequence[Done]) -> dict[int, str]:
    """What has happened since to the households of these rows, by number."""
    codes = writing.touched(db, Household, rows)
    created = [row for row in rows if row.outcome is Outcome.created and row.number not in codes]
    for start in range(0, len(created), CHUNK):
        chunk = created[start : start + CHUNK]
        ids = [row.entity_id for row in chunk]
        used = households.in_use(db, ids)
        used |= writing.named_elsewhere(db, "household.id", _OWN_TABLES, ids)
        codes |= {row.number: "record_in_use" for row in chunk if row.entity_id in used}
    return codes


def take_back(session: Session, actor: Actor, rows: Sequence[Done]) -> None:
    """Undo rows that nothing stands in the way of: new households go, corrections are reversed."""

    def one(row: Done) -> None:
        if row.outcome is Outcome.created:
            households.withdraw(session, actor, row.entity_id)
        else:
            before = writing.before(session, Household, row)
            households.restore(session, actor, row.entity_id, before)

    writing.undo_each(session, rows, one)


register(
    ImportKind.households,
    KindOfList(
        name="households",
        right=Right.members_write,
        masks=households.MASKS | {"citizen_id": Right.members_citizen_id},
        plan=plan,
        write=write,
        finish=finish,
        obstacles=obstacles,
        take_back=take_back,
    ),
)
