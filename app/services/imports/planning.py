"""What the plans of all kinds of lists share: the order of the questions, units, refusals."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from pydantic_core import to_jsonable_python

from app.models.imports.imports import RowDecision, RowOutcome
from app.models.kernel.units import UnitLevel
from app.problem_texts import FieldCode
from app.services.imports import store
from app.services.imports.external import ExternalNames
from app.services.imports.kinds import wrong
from app.services.imports.refusals import Refusals
from app.services.imports.units import Branch, Branches, NotFound
from app.services.kernel.access import Actor, Db
from app.services.kernel.list_kinds import Earlier, Frame, Given, Json, RowPlan

Pairs = Sequence[tuple[Given, RowPlan]]
# A key of a row: its kind ("id", "row", ...) and its values.
Key = tuple[str, ...]


class Planner(Refusals, ABC):
    """Compares the rows of an import with what is on record; each kind of list fills in the gaps.

    `units` are those a row may name, in the field `unit_field`; `records` are those the rows stand
    for, as far as the actor sees them.
    """

    unit_field = "branch"
    # What the rows become, where other systems may have identifiers of it (`external.ExternalNames`).
    entity: str | None = None

    def __init__(self, db: Db, actor: Actor, frame: Frame, units: Branches) -> None:
        super().__init__(frame)
        self.db = db
        self.actor = actor
        self.units = units
        units.meant = frame.meanings.get(self.unit_field, {})
        self.rows: Sequence[Given] = ()
        self.records: dict[UUID, Any] = {}

    def plan(self, rows: Sequence[Given], earlier: Earlier) -> list[RowPlan]:
        """What each row would do, in the order of `rows`."""
        self.rows = rows
        self.named = ExternalNames(self.db, self.entity, rows)
        begun = [self._begin(row) for row in rows]
        pairs = [(row, made) for row, (made, _) in zip(rows, begun, strict=True)]
        targets, untouched = self._targets(pairs, earlier)
        plans = [
            self._settled(row, *each, target, untouched=as_left)
            for row, each, target, as_left in zip(rows, begun, targets, untouched, strict=True)
        ]
        self.compare_rows(list(zip(rows, plans, strict=True)))
        self.named.compare(zip(rows, plans, strict=True))
        settle(plans)
        return plans

    def _begin(self, row: Given) -> tuple[RowPlan, Branch | None]:
        """What the file alone says of a row, and the unit it names."""
        made = RowPlan(RowOutcome.created, problems=list(row.problems))
        if row.values.get("id") and (self.frame.partial or row.number in self.named):
            made.problems = [each for each in made.problems if each["code"] != "required"]
        self.named.begin(row, made)
        self.accept(row, made)
        return made, self.find_unit(row, made)

    def _settled(
        self,
        row: Given,
        made: RowPlan,
        unit: Branch | None,
        target: UUID | None,
        *,
        untouched: bool,
    ) -> RowPlan:
        self._settle(row, made, unit, target, untouched=untouched)
        while self._leave_out(row, made):
            made, unit = self._begin(row)
            self._settle(row, made, unit, target, untouched=untouched)
        self.named.end(row, made)
        return made

    def _settle(
        self,
        row: Given,
        made: RowPlan,
        unit: Branch | None,
        target: UUID | None,
        *,
        untouched: bool,
    ) -> None:
        if row.decision is RowDecision.skip:
            made.outcome = RowOutcome.skipped
        elif target is not None and (row.values.get("id") or target in self.records):
            self.meet(row, made, target, unit, untouched=untouched)
        elif unit is not None:
            self.settle_new(row, made, unit)
        elif not made.wrong_fields:  # its id was taken back, and it names no unit
            self.refuse(made, row, self.unit_field, "required")

    def _leave_out(self, row: Given, made: RowPlan) -> bool:
        """Take the cells that the rules refuse, and somebody left out, from the row: True when it
        has to be settled anew."""
        refused = [
            each
            for each in made.problems
            if each in self.frame.leave_out and row.values.get(each["field"]) is not None
        ]
        for problem in refused:
            row.values.pop(problem["field"], None)
        row.problems += refused
        return bool(refused)

    def _targets(
        self, pairs: Pairs, earlier: Earlier
    ) -> tuple[Sequence[UUID | None], Sequence[bool]]:
        """The record of each row, read; whether the row was the last to change it."""
        targets, untouched = targets_of(self.db, pairs, earlier)
        self.read({target for target in targets if target is not None})
        return self.without_taken_back(pairs, self.followed(targets)), untouched

    # -- what a kind of list fills in

    @abstractmethod
    def find_unit(self, row: Given, made: RowPlan) -> Branch | None:
        """The unit a row names; None when it names none, or one that was refused. The first that is
        asked of a row."""

    @abstractmethod
    def read(self, ids: set[UUID]) -> None:
        """Put these records into `records`, without those out of scope."""

    def followed(self, targets: Sequence[UUID | None]) -> Sequence[UUID | None]:
        """The ids, each of a record that became another's replaced by that one's."""
        return targets

    @abstractmethod
    def meet(
        self, row: Given, made: RowPlan, target: UUID, unit: Branch | None, *, untouched: bool
    ) -> None:
        """The changes of a row whose record exists."""

    @abstractmethod
    def settle_new(self, row: Given, made: RowPlan, unit: Branch) -> None:
        """The values of a new record, unless a record is found for the row."""

    @abstractmethod
    def compare_rows(self, pairs: Pairs) -> None:
        """Report rows that repeat another row."""

    # -- what they share

    def named_unit(
        self,
        row: Given,
        made: RowPlan,
        asked: dict[str, Any],
        field: str,
        levels: frozenset[UnitLevel] | None = None,
    ) -> Branch | None:
        """The unit that is `asked` for, or the nearest by name where somebody accepts that."""
        unit = self.meant_unit(row, made, asked, levels)
        if isinstance(unit, Branch):
            made.unit_id = unit.id
            return unit
        if unit is not None:
            self.refuse(made, row, field, unit.code, proposal=unit.nearest)
        elif row.values.get("id") is None:
            self.refuse(made, row, field, "required")
        return None

    def meant_unit(
        self,
        row: Given,
        made: RowPlan,
        asked: dict[str, Any],
        levels: frozenset[UnitLevel] | None = None,
    ) -> Branch | NotFound | None:
        """The unit that is asked for; one that somebody chose, with a warning that says which."""
        unit = self.units.find(asked, levels)
        chosen = self.units.meaning_of(asked) is not None
        nearest = unit.nearest if isinstance(unit, NotFound) else None
        if nearest and (self.unit_field in row.accepted or "unit_unknown" in self.frame.accept):
            unit, chosen = self.units.find({"branch": nearest}, levels), True
        if chosen and isinstance(unit, Branch):
            self.refuse(
                made, row, self.unit_field, "meaning_chosen", level="warning", meant=unit.name
            )
        return unit

    def open_branch(self, row: Given, made: RowPlan) -> Branch | None:
        """The branch a row names; what is new needs one that is open."""
        if (lives_in := self._branch_of_address(row, made)) is not None:
            return lives_in
        field = "branch_id" if row.values.get("branch_id") is not None else "branch"
        branch = self.named_unit(row, made, row.values, field)
        if branch is not None and branch.closed and row.values.get("id") is None:
            self.refuse(made, row, field, "unit_not_open")
        return branch

    def _branch_of_address(self, row: Given, made: RowPlan) -> Branch | None:
        """Of a new row that nothing else says a branch of: the open one that her address names."""
        branch = None if row.values.get("id") else self.units.of_address(row.values)
        if branch is not None:
            made.unit_id, meant = branch.id, branch.name
            code: FieldCode = "branch_of_address"
            self.refuse(made, row, self.unit_field, code, level="warning", meant=meant)
        return branch

    def without_taken_back(self, pairs: Pairs, targets: Sequence[UUID | None]) -> list[UUID | None]:
        """An id that an undone import gave is nobody's: the row is new again."""
        unknown = {t for t in targets if t is not None and t not in self.records}
        gone = store.taken_back(self.db, unknown)
        for (row, _), target in zip(pairs, targets, strict=True):
            if target in gone:
                row.values["id"] = None
        return [None if target in gone else target for target in targets]


def keys_of(pairs: Pairs) -> list[tuple[int, str]]:
    """What rows without an id may be known by, their unit and their fingerprint."""
    return [
        (made.unit_id or 0, row.fingerprint) if row.values.get("id") is None else (0, "")
        for row, made in pairs
    ]


def targets_of(db: Db, pairs: Pairs, earlier: Earlier) -> tuple[list[UUID | None], list[bool]]:
    """Find the record of each row by its id or by an earlier import, and whether the very same row
    was the last to change it.
    """
    keys = keys_of(pairs)
    known = earlier(db, [key for key in keys if key[1]])
    met = [known.get(key, (None, False)) for key in keys]
    targets = [
        as_uuid(row.values.get("id")) or found
        for (row, _), (found, _) in zip(pairs, met, strict=True)
    ]
    return targets, [untouched for _, untouched in met]


def find_repeated(
    pairs: Pairs,
    keys: Callable[[Given, RowPlan], Iterable[Key]],
    field: str,
    *,
    unless_decided: bool = True,
) -> None:
    """Of rows that share a key the first counts; the error of the others is on `field`, unless it
    is the id.

    `unless_decided`: a row that somebody has decided to create repeats no other.
    """
    met: dict[Key, int] = {}
    for row, made in pairs:
        if made.outcome is RowOutcome.skipped:
            continue
        decided = unless_decided and row.decision is RowDecision.create
        for key in keys(row, made):
            first, is_id = met.setdefault(key, row.number), key[0] == "id"
            if first == row.number or (decided and not is_id):
                continue
            made.outcome = RowOutcome.error if is_id else RowOutcome.duplicate
            code, level = ("row_id_repeated", "error") if is_id else ("row_repeated", "warning")
            made.problems.append(wrong(code, "id" if is_id else field, level=level, row=first))
            break


def spare_name(made: RowPlan, field: str) -> None:
    """Who is given by an id needs no name."""
    missing = (field, "required")
    made.problems = [each for each in made.problems if (each["field"], each["code"]) != missing]


def settle(plans: Sequence[RowPlan]) -> None:
    """A row with an error is in state error; an id without a record is not shown."""
    for made in plans:
        if made.wrong_fields and made.outcome not in (RowOutcome.skipped, RowOutcome.duplicate):
            made.outcome = RowOutcome.error
        if made.outcome is not RowOutcome.created and made.entity_revision is None:
            made.entity_id = None  # there is no such record, and there will be none


def as_uuid(value: str | None) -> UUID | None:
    return None if value is None else UUID(value)


def as_json(values: Mapping[str, Any]) -> Json:
    written: Json = to_jsonable_python(values)
    return written
