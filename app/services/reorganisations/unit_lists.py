"""Lists of units: one row is a unit that opens, under one on record or one of another row.

The rules are those of POST /v1/units, by the planner and the writer that serve it. A row stands for
the unit of its code on its first day, or of its name under the unit over it: what is on record that
way already is left as it is. A unit that is named ambiguously on that day is never guessed.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, Final

from pydantic import ValidationError

from app.models.imports.imports import RowDecision, RowOutcome
from app.models.kernel.access import Right
from app.models.kernel.units import LEVEL_ORDER, UnitLevel
from app.models.reorganisations.operations import OpenUnit
from app.services.imports.planning import Key, Pairs, find_repeated, settle
from app.services.imports.refusals import field_errors
from app.services.kernel.access import Actor, Db
from app.services.kernel.list_kinds import Earlier, Frame, Given, KindOfList, RowPlan
from app.services.reorganisations import unit_rows
from app.services.reorganisations.called_units import AskedNames, CalledUnit, CalledUnits
from app.services.reorganisations.naming import DIGITS, NamingRows
from app.services.reorganisations.unit_rows import ListedUnit
from app.services.units.handing import Ref
from app.services.units.tree import is_above

_OF_UNIT: Final = ("level", "name", "code", "area_type", "closed_on")


def plan(db: Db, actor: Actor, frame: Frame, rows: Sequence[Given], _: Earlier) -> list[RowPlan]:
    """What each row would do, in the order of `rows`: one set of reads for all of them."""
    return _Planner(db, actor, frame, rows).plan()


class _Planner(NamingRows):
    places = unit_rows.PLACES

    def __init__(self, db: Db, actor: Actor, frame: Frame, rows: Sequence[Given]) -> None:
        super().__init__(frame)
        self.db = db
        self.actor = actor
        self.parents: dict[int, Ref | None] = {}
        self.pairs: Pairs = [
            (row, RowPlan(RowOutcome.created, problems=list(row.problems))) for row in rows
        ]

    def plan(self) -> list[RowPlan]:
        for row, made in self.pairs:
            self._begin(row, made)
        self.units = CalledUnits(self.db, self.actor, self.frame.unit, self._asked())
        # Upper levels first: what stands over a row is settled before it.
        for row, made in sorted(self._due(), key=lambda pair: _level(pair[0])):
            self.parents[row.number] = self._parent(row, made)
            self._settle(row, made)
            if made.outcome is not RowOutcome.same:
                self.units.add(_named(row))
        find_repeated(self.pairs, self._same_unit, "name")
        self._try()
        plans = [made for _, made in self.pairs]
        settle(plans)
        return plans

    def _begin(self, row: Given, made: RowPlan) -> None:
        self.accept(row, made)
        if row.decision is RowDecision.skip:
            made.outcome = RowOutcome.skipped
        level = row.values.get("level")
        if level is not None:
            own = DIGITS.get(UnitLevel(level))
            self.restore_zeros(row, made, "code", () if own is None else (own,))
            self.restore_zeros(row, made, "parent_code", DIGITS.values())

    def _due(self) -> Iterator[tuple[Given, RowPlan]]:
        for row, made in self.pairs:
            if made.outcome is RowOutcome.created and not made.wrong_fields:
                yield row, made

    def _asked(self) -> AskedNames:
        values = [row.values for row, _ in self._due()]
        return AskedNames(
            codes={v for each in values for n in ("code", "parent_code") if (v := each.get(n))},
            names={v for each in values for n in ("name", "parent") if (v := each.get(n))},
        )

    # -- what a row stands under

    def _parent(self, row: Given, made: RowPlan) -> Ref | None:
        """The unit over it; the list's own where the row names none."""
        said = row.values
        code, name = said.get("parent_code"), said.get("parent")
        if code is None and name is None:
            return self.frame.unit.id
        day, level = date.fromisoformat(said["opened_on"]), UnitLevel(said["level"])
        found = self.find(
            row, made, ("parent_code", "parent"), day, lambda each: is_above(each.level, level)
        )
        return None if found is None else found.ref

    # -- what it is

    def _settle(self, row: Given, made: RowPlan) -> None:
        said, parent = row.values, self.parents[row.number]
        if parent is None:
            return
        made.unit_id = self._over(parent)
        known = self._on_record(row, parent)
        if known is not None:
            made.outcome, made.unit_id = RowOutcome.same, int(known.ref)
            self._compare(row, made, known, parent)
            return
        given = {name: said[name] for name in _OF_UNIT if said.get(name) is not None}
        try:
            body = OpenUnit.model_validate(
                {"op": "open", "key": unit_rows.key_of(row.number), "parent_id": parent} | given
            )
        except ValidationError as error:
            self.refuse_all(made, row, field_errors(error))
            return
        made.writes = unit_rows.as_json(body, said["opened_on"])

    def _over(self, parent: Ref) -> int:
        """The lowest unit on record over a row."""
        while not isinstance(parent, int):
            parent = self.parents.get(unit_rows.number_of(parent)) or self.frame.unit.id
        return parent

    def _compare(self, row: Given, made: RowPlan, known: CalledUnit, parent: Ref) -> None:
        """Cells that say otherwise than the record change nothing, and are pointed out."""
        said = row.values
        on_record = {
            "opened_on": known.opened_on and known.opened_on.isoformat(),
            "closed_on": known.closed_on and known.closed_on.isoformat(),
            "area_type": known.area_type,
        }
        differing = [field for field, value in on_record.items() if said.get(field, value) != value]
        over = known.parent_on(date.fromisoformat(said["opened_on"]))
        named = [field for field in ("parent_code", "parent") if said.get(field) is not None]
        differing += named[:1] if over != parent else []
        for field in differing:
            self.refuse(made, row, field, "unit_record_differs", level="warning")

    def _on_record(self, row: Given, parent: Ref) -> CalledUnit | None:
        """The unit that the row describes, where there is one already."""
        said = row.values
        day = date.fromisoformat(said["opened_on"])
        for each in self.units.of(said.get("code"), said["name"], day):
            of_code = said.get("code") is not None
            same = each.level == said["level"] and (of_code or each.parent_on(day) == parent)
            if same and isinstance(each.ref, int):
                return each
        return None

    def _same_unit(self, row: Given, made: RowPlan) -> Iterator[Key]:
        if made.outcome is RowOutcome.created and made.writes and not row.values.get("code"):
            said = row.values
            yield "row", str(made.writes["parent_id"]), said["level"], said["name"].casefold()

    def _try(self) -> None:
        """What the rules of the tree refuse; the others say which act they will be part of."""
        due = {
            unit_rows.key_of(row.number): (row, made) for row, made in self._due() if made.writes
        }
        rows = [ListedUnit(key, made.writes) for key, (_, made) in due.items()]
        steps = unit_rows.steps(rows)
        for key, problem in unit_rows.refused(self.db, self.actor, steps).items():
            row, made = due[key]
            self.refuse_problem(made, row, problem, unit_rows.field_of(problem))
        for step in steps:
            for each in step.rows:
                due[each.key][1].entity_id = step.id


def _level(row: Given) -> int:
    return LEVEL_ORDER.index(row.values["level"])


def _named(row: Given) -> CalledUnit:
    """The unit that the row describes, for the rows that stand under it."""
    said = row.values
    return CalledUnit(
        ref=unit_rows.key_of(row.number),
        level=UnitLevel(said["level"]),
        name=said["name"],
        code=said.get("code"),
        since=date.fromisoformat(said["opened_on"]),
        until=date.fromisoformat(said["closed_on"]) if said.get("closed_on") else None,
    )


def _nothing(*_: Any) -> None:
    """Nothing is left to be done once all rows are written."""


UNITS: Final = KindOfList(
    name="units",
    entity="reorganisation",
    right=Right.units_write,
    masks={},
    plan=plan,
    write=unit_rows.write,
    finish=_nothing,
    hold=unit_rows.hold,
    obstacles=unit_rows.obstacles,
    take_back=unit_rows.take_back,
    together=True,
)
