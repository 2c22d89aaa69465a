"""Crosswalks: one row says that a unit, or a part of it, became a unit of another name or code.

A file becomes drafts of reorganisations, one for each day and decree: nothing changes before another
officer has seen and applied them. A unit that is named ambiguously on its day is never guessed.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

from app.models.imports.imports import RowDecision, RowOutcome
from app.models.kernel.access import Right
from app.models.kernel.units import UnitLevel
from app.services.imports.planning import Key, Pairs, find_repeated, settle
from app.services.kernel.access import Actor, Db
from app.services.kernel.list_kinds import Earlier, Frame, Given, KindOfList, RowPlan
from app.services.reorganisations import crosswalk_rows
from app.services.reorganisations.called_units import AskedNames, CalledUnit, CalledUnits
from app.services.reorganisations.crosswalk_rows import Transition
from app.services.reorganisations.naming import DIGITS, NamingRows
from app.services.units.handing import Ref
from app.services.units.tree import DAY, is_above

_CODES: Final = ("old_code", "new_code", "new_parent_code")
_NAMES: Final = ("old_name", "new_name", "new_parent")


def plan(db: Db, actor: Actor, frame: Frame, rows: Sequence[Given], _: Earlier) -> list[RowPlan]:
    """What each row would do, in the order of `rows`: one set of reads for all of them."""
    return _Planner(frame, rows).plan(db, actor)


class _Planner(NamingRows):
    def __init__(self, frame: Frame, rows: Sequence[Given]) -> None:
        super().__init__(frame)
        self.pairs: Pairs = [
            (row, RowPlan(RowOutcome.created, problems=list(row.problems))) for row in rows
        ]

    def plan(self, db: Db, actor: Actor) -> list[RowPlan]:
        for row, made in self.pairs:
            self._begin(row, made)
        said = [row.values for row, _ in self._due()]
        self.units = CalledUnits(db, actor, self.frame.unit, _asked(said))
        for row, made in self._due():
            self._settle(row, made)
        find_repeated(self.pairs, _same_pair, "new_name", unless_decided=False)
        self._compare_openings()
        self._compare_flags()
        self._into_drafts()
        plans = [made for _, made in self.pairs]
        settle(plans)
        return plans

    def _begin(self, row: Given, made: RowPlan) -> None:
        self.accept(row, made)
        if row.decision is RowDecision.skip:
            made.outcome = RowOutcome.skipped
        own = DIGITS.get(_level(row))
        for field in ("old_code", "new_code"):
            self.restore_zeros(row, made, field, () if own is None else (own,))
        self.restore_zeros(row, made, "new_parent_code", DIGITS.values())

    def _due(self) -> Iterator[tuple[Given, RowPlan]]:
        for row, made in self.pairs:
            if made.outcome is RowOutcome.created and not made.wrong_fields:
                yield row, made

    # -- one row

    def _settle(self, row: Given, made: RowPlan) -> None:
        said, level = row.values, _level(row)
        since = date.fromisoformat(said["effective_on"])
        old = self.find(
            row, made, ("old_code", "old_name"), since - DAY, lambda each: each.level is level
        )
        if old is None:
            return
        made.unit_id = int(old.ref)
        if old.closed_on is not None and old.closed_on < since:
            self.refuse(made, row, "effective_on", "unit_not_open")
            return
        new, opening = self._new(row, made, since, level)
        if made.wrong_fields:
            return
        made.writes = {
            "effective_on": said["effective_on"],
            "decree": said.get("decree"),
            "old": old.ref,
            "new": new,
            "opening": opening,
            "main": bool(said.get("main")),
            "moved": any(said.get(each) for each in ("new_parent_code", "new_parent")),
        }

    def _new(
        self, row: Given, made: RowPlan, since: date, level: UnitLevel
    ) -> tuple[Ref | None, dict[str, Any] | None]:
        """The unit on record that has the new name and code on the day, or the one to open."""
        said = row.values
        code, name = said.get("new_code"), said["new_name"]
        known = [each for each in self.units.of(code, name, since) if each.level is level]
        if len(known) > 1:
            field = "new_name" if code is None else "new_code"
            self.refuse_many(row, made, field, since, known)
        parent = self._parent(row, made, since, level)
        if known:
            self._compare(row, made, known[0], parent, since)
            return known[0].ref, None
        opening = {"level": level.value, "name": name, "code": code, "parent_id": parent}
        key = crosswalk_rows.key_of(level.value, code or "", name)
        return key, opening | {"area_type": said.get("area_type")}

    def _compare(
        self, row: Given, made: RowPlan, known: CalledUnit, parent: Ref | None, since: date
    ) -> None:
        """Of a unit that stays no parent and no area type is drafted: cells that differ are pointed out."""
        named = [each for each in ("new_parent_code", "new_parent") if row.values.get(each)]
        differing = named[:1] if known.parent_on(since) != parent else []
        if row.values.get("area_type") not in (None, known.area_type):
            differing.append("area_type")
        for field in differing:
            self.refuse(made, row, field, "unit_record_differs", level="warning")

    def _parent(self, row: Given, made: RowPlan, since: date, level: UnitLevel) -> Ref | None:
        def over(each: CalledUnit) -> bool:
            return is_above(each.level, level)

        fields = ("new_parent_code", "new_parent")
        if not any(row.values.get(each) for each in fields):
            return self.frame.unit.id
        found = self.find(row, made, fields, since, over)
        return None if found is None else found.ref

    # -- rows beside each other

    def _compare_openings(self) -> None:
        """Rows that name one new unit say the same of it."""
        first: dict[tuple[str, str], tuple[int, Any]] = {}
        for row, made in self._written():
            if made.writes["opening"] is not None:
                key = (made.writes["effective_on"], made.writes["new"])
                number, opening = first.setdefault(key, (row.number, made.writes["opening"]))
                if opening != made.writes["opening"]:
                    self.refuse(made, row, "new_name", "crosswalk_new_differs", number=str(number))

    def _compare_flags(self) -> None:
        """What is said of mergers and splits is what the rows of the file amount to."""
        heirs, origins, mains = self._counted()
        for row, made in self._written():
            day, old, new = (made.writes[each] for each in ("effective_on", "old", "new"))
            counted = {"split": len(heirs[day, old]) > 1, "merged": len(origins[day, new]) > 1}
            for field, several in counted.items():
                if row.values.get(field) not in (None, several):
                    self.refuse(made, row, field, "crosswalk_flag_differs")
            main = mains[day, old]
            if made.writes["main"] and main[0] != row.number:
                self.refuse(made, row, "main", "crosswalk_main_twice", number=str(main[0]))
            elif counted["split"] and not main:
                self.refuse(made, row, "main", "crosswalk_unassigned", level="warning")

    def _counted(self) -> tuple[Mapping[Any, set[Any]], Mapping[Any, set[Any]], Any]:
        heirs, origins, mains = defaultdict(set), defaultdict(set), defaultdict(list)
        for row, made in self._written():
            day, old, new = (made.writes[each] for each in ("effective_on", "old", "new"))
            heirs[day, old].add(new)
            origins[day, new].add(old)
            if made.writes["main"]:
                mains[day, old].append(row.number)
        return heirs, origins, mains

    def _written(self) -> list[tuple[Given, RowPlan]]:
        return [(row, made) for row, made in self._due() if made.writes]

    def _into_drafts(self) -> None:
        """Each row is a part of a draft; of those that together change nothing nothing is drafted."""
        rows = {row.number: made for row, made in self._written()}
        drafts = crosswalk_rows.drafts_of(
            Transition.of(number, made.writes) for number, made in rows.items()
        )
        drafted = {each.number: draft.id for draft in drafts for each in draft.rows}
        for number, made in rows.items():
            made.entity_id = drafted.get(number)
            if made.entity_id is None:
                made.outcome, made.writes = RowOutcome.same, {}


def _level(row: Given) -> UnitLevel:
    return UnitLevel(row.values.get("level") or UnitLevel.commune)


def _asked(said: Sequence[Mapping[str, Any]]) -> AskedNames:
    return AskedNames(
        codes={value for each in said for name in _CODES if (value := each.get(name))},
        names={value for each in said for name in _NAMES if (value := each.get(name))},
    )


def _same_pair(_: Given, made: RowPlan) -> Iterator[Key]:
    if made.writes:
        yield "row", *(str(made.writes[name]) for name in ("effective_on", "old", "new"))


CROSSWALK: Final = KindOfList(
    name="crosswalk",
    entity="reorganisation",
    right=Right.units_write,
    masks={},
    plan=plan,
    write=crosswalk_rows.write,
    finish=crosswalk_rows.finish,
    hold=crosswalk_rows.hold,
    obstacles=crosswalk_rows.obstacles,
    take_back=crosswalk_rows.take_back,
    together=True,
)
