"""Lists of review results: one row is the decision on one household, with the totals that were found.

A row stands for the decision of its `Mã`, of the very same row of an earlier import, or of the same
number on the same household from the same day. The household must be identified without doubt: by
its id, its code with the name of its head, or that name alone. The rules are those of
POST /v1/poverty-reviews, by the functions that serve it.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from pydantic import ValidationError
from sqlmodel import col

from app.db import chunks
from app.errors import Problem
from app.models.base import new_id
from app.models.households.households import Household
from app.models.imports.imports import RowOutcome
from app.models.kernel.access import Right
from app.models.poverty.poverty import PovertyStatus
from app.models.poverty.reviews import ReviewRow, ReviewRowUpdate
from app.services.households import lists
from app.services.imports.forms import KindOfForm
from app.services.imports.planning import (
    Key,
    Pairs,
    Planner,
    find_repeated,
    spare_name,
)
from app.services.imports.refusals import field_errors
from app.services.imports.units import Branch, Branches, NotFound
from app.services.kernel.access import Actor, Db
from app.services.kernel.actors import reach_of
from app.services.kernel.list_kinds import Earlier, Frame, Given, KindOfList, RowPlan
from app.services.poverty import result_rows
from app.text import search_key

_OF_ROW = tuple(name for name in ReviewRow.model_fields if name not in ("id", "household_id"))
_PLACES = {"household_id": "head_name", "since": "valid_from"}
_FIXED = {"class": "poverty_class", "decision_number": "decision_number"}
_KNOWN = sa.select(
    *(
        getattr(PovertyStatus, name)
        for name in ("id", "household_id", "poverty_class", "decision_number", "note", "revision")
    ),
    *(getattr(PovertyStatus, name) for name in ("province_id", "commune_id", "branch_id")),
).where(col(PovertyStatus.annulled_on).is_(None))


def plan(
    db: Db, actor: Actor, frame: Frame, rows: Sequence[Given], earlier: Earlier
) -> list[RowPlan]:
    """What each row would do, in the order of `rows`. Reads: a few for each row."""
    return _Planner(db, actor, frame).plan(rows, earlier)


class _Planner(Planner):
    places = _PLACES

    def __init__(self, db: Db, actor: Actor, frame: Frame) -> None:
        units = Branches(db, actor, frame.unit, Right.poverty_recognise)
        super().__init__(db, actor, frame, units)
        self.reach = reach_of(db, frame.unit)
        self.homes: dict[int, Any] = {}

    def find_unit(self, row: Given, made: RowPlan) -> Branch | None:
        """The branch of the household that the row names."""
        if any(row.values.get(name) for name in ("id", "household_id", "code")):
            spare_name(made, "head_name")
        if row.values.get("id"):
            return None
        home = self._household(row, made)
        if home is None:
            return None
        self.homes[row.number] = home
        made.unit_id = home.branch_id
        return self.units.by_id.get(home.branch_id)

    def _household(self, row: Given, made: RowPlan) -> Any:
        """The one household meant; None when it is not certain which, and the row is in error."""
        said = row.values
        name = said.get("head_name")
        if said.get("household_id"):
            field, found = (
                "household_id",
                self._homes(col(Household.id) == UUID(said["household_id"])),
            )
        elif said.get("code"):
            field, found = "code", self._homes(col(Household.code) == said["code"])
        elif name:
            field, found = "head_name", self._homes(col(Household.search_key) == search_key(name))
        else:
            return None
        if name and field == "code" and len(found) != 1:
            found = [each for each in found if search_key(each.head_name) == search_key(name)]
        found = self._in_branch(row, made, found)
        if len(found) != 1:
            self.refuse(made, row, field, "household_ambiguous" if found else "household_unknown")
            return None
        if name and search_key(found[0].head_name) != search_key(name):
            self.refuse(made, row, "head_name", "head_differs", head=found[0].head_name)
            return None
        return found[0]

    def _homes(self, wanted: sa.ColumnElement[bool]) -> list[Any]:
        still = (self.reach.predicate(Household), col(Household.closed_on).is_(None))
        return [
            each
            for each in lists.known(self.db, wanted, *still)
            if self.actor.covers(Right.poverty_recognise, each)
        ]

    def _in_branch(self, row: Given, made: RowPlan, found: list[Any]) -> list[Any]:
        """Those of the branch that the row names, if it names one."""
        if not row.values.get("branch"):
            return found
        branch = self.meant_unit(row, made, {"branch": row.values["branch"]})
        if isinstance(branch, NotFound):
            self.refuse(made, row, "branch", branch.code, proposal=branch.nearest)
            return found
        return [each for each in found if branch is None or each.branch_id == branch.id]

    def read(self, ids: set[UUID]) -> None:
        for chunk in chunks(sorted(ids)):
            for record in self.db.execute(_KNOWN.where(col(PovertyStatus.id).in_(chunk))):
                if self.actor.covers(Right.poverty_recognise, record):
                    self.records[record.id] = record

    def meet(
        self, row: Given, made: RowPlan, target: UUID, unit: Branch | None, *, untouched: bool
    ) -> None:
        """A decision on record: its note may be another."""
        record = self.records.get(target)
        if record is None:
            self.refuse(made, row, "id", "decision_unknown")
            return
        made.entity_id, made.entity_revision = target, record.revision
        made.unit_id, made.outcome = record.branch_id, RowOutcome.same
        if untouched:
            return
        for field, name in _FIXED.items():
            said, known = row.values.get(field), getattr(record, name)
            if said is not None and said != getattr(known, "value", known):
                self.refuse(made, row, field, "act_needed")
        note = row.values.get("note")
        if note is not None and note != record.note:
            made.outcome, made.writes = RowOutcome.updated, {"note": note}

    def compare_rows(self, pairs: Pairs) -> None:
        find_repeated(pairs, _same_decision, "head_name", unless_decided=False)

    def settle_new(self, row: Given, made: RowPlan, unit: Branch) -> None:
        """A new decision, unless it is found to be one on record."""
        home = self.homes[row.number]
        record = self._same(home.id, row)
        if record is not None:
            self.records[record.id] = record
            self.meet(row, made, record.id, unit, untouched=False)
            return
        given = {
            field: row.values[field]
            for name in _OF_ROW
            if row.values.get(field := "class" if name == "class_" else name) is not None
        }
        known = made.wrong_fields
        try:
            body = ReviewRow.model_validate(given | {"household_id": home.id})
            if not known:
                result_rows.ensure_possible(self.db, body)
        except ValidationError as error:
            errors = field_errors(error)
            self.refuse_all(made, row, [e for e in errors if e.pointer.strip("/") not in known])
            return
        except Problem as problem:
            self.refuse_problem(made, row, problem, "class")
            return
        made.writes = body.model_dump(mode="json", exclude_unset=True, by_alias=True)
        made.entity_id = new_id()

    def _same(self, household_id: UUID, row: Given) -> Any:
        number, since = row.values.get("decision_number"), row.values.get("valid_from")
        if number is None or since is None:
            return None
        return self.db.execute(
            _KNOWN.where(
                col(PovertyStatus.household_id) == household_id,
                col(PovertyStatus.decision_number) == number,
                col(PovertyStatus.valid_from) == date.fromisoformat(since),
            )
        ).first()


def _same_decision(_: Given, made: RowPlan) -> Iterator[Key]:
    if made.entity_revision is not None:
        yield "id", str(made.entity_id)
    elif made.outcome is RowOutcome.created and made.writes:
        yield "row", *(str(made.writes.get(name)) for name in ("household_id", "valid_from"))


FORM = KindOfForm(
    model=PovertyStatus,
    create=ReviewRow,
    update=ReviewRowUpdate,
    enter=result_rows.enter,
    correct=result_rows.correct,
    withdraw=result_rows.withdraw,
    restore=result_rows.restore,
    hold=result_rows.hold,
    in_use=result_rows.in_use,
    own_tables=(),
    field="class",
    places=_PLACES,
)
POVERTY_DECISIONS: Final = KindOfList(
    name="poverty_decisions",
    entity="poverty_status",
    right=Right.poverty_recognise,
    masks=dict.fromkeys(("class", "income_points", "b2_points"), Right.poverty_read),
    plan=plan,
    write=FORM.write,
    finish=FORM.finish,
    hold=FORM.hold,
    obstacles=FORM.obstacles,
    take_back=FORM.take_back,
)
