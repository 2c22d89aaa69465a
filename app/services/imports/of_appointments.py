"""Lists of cadres: one row is one post of one member.

A row stands for the appointment of its `Mã`, of the very same row of an earlier import, or of the
same member in the same post from the same day. The member must be identified without doubt:
otherwise the row waits. The rules are those of POST and PATCH /v1/appointments, by the functions
that serve them.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from pydantic import ValidationError
from sqlmodel import col

from app.clock import local_today
from app.db import AnySelect, chunks
from app.errors import Problem
from app.models.base import new_id
from app.models.cadres.appointments import (
    POSTS,
    Appointment,
    AppointmentCreate,
    AppointmentRead,
    AppointmentUpdate,
    Post,
)
from app.models.imports.imports import EmptyCells, RowDecision, RowOutcome
from app.models.kernel.access import Right
from app.models.kernel.units import Unit, UnitLevel
from app.services.cadres import appointments, lists
from app.services.identity import grants
from app.services.imports import people
from app.services.imports.forms import KindOfForm
from app.services.imports.planning import (
    Key,
    Pairs,
    Planner,
    as_uuid,
    find_repeated,
    spare_name,
)
from app.services.imports.refusals import field_errors
from app.services.imports.units import Branch, Branches
from app.services.kernel.access import Actor, Db
from app.services.kernel.actors import reach_of
from app.services.kernel.list_kinds import Earlier, Frame, Given, Json, KindOfList, RowPlan
from app.services.kernel.reach import Reach
from app.services.units.rows import unit_of
from app.text import sort_key

_PLAIN = ("title", "basis", "payment", "decision_number", "decided_on", "valid_from", "valid_to")
_NEVER_EMPTY = frozenset({"basis", "payment", "valid_from", "term"})
_PLACES = {
    "member_id": "full_name",
    "unit_id": "unit",
    "starts_on": "term_from",
    "ends_on": "term_to",
    "congress_number": "congress_number",
    "since": "valid_from",
}
Term = tuple[int, str, str]


# -- planning


def plan(
    db: Db, actor: Actor, frame: Frame, rows: Sequence[Given], earlier: Earlier
) -> list[RowPlan]:
    """What each row would do, in the order of `rows`. Reads: a few for each row that is new."""
    return _Planner(db, actor, frame).plan(rows, earlier)


class _Planner(Planner):
    unit_field = "unit"

    def __init__(self, db: Db, actor: Actor, frame: Frame) -> None:
        right = Right.appointments_write
        units = Branches(db, actor, frame.unit, right, tuple(UnitLevel))
        super().__init__(db, actor, frame, units)
        self._whole: dict[int, Unit] = {}
        self._terms: dict[int, set[Term]] = {}
        told = frame.columns
        named = next((n for n in ("full_name", "surname", "member") if n in told), "full_name")
        unit = "unit_id" if "unit" not in told and "unit_id" in told else "unit"
        days = {"starts_on": "term", "ends_on": "term"} if "term_to" not in told else {}
        self.places = _PLACES | {"member_id": named, "unit_id": unit} | days

    def find_unit(self, row: Given, made: RowPlan) -> Branch | None:
        """The unit a row names, which is one where there is such a post; else the list's own."""
        _flatten(row)
        if row.values.get("member_id") or row.values.get("full_name") or row.values.get("id"):
            spare_name(made, "full_name")
        said = row.values.get("unit") or {}
        unit_id, name = row.values.get("unit_id") or said.get("id"), said.get("name")
        post = row.values.get("post")
        levels = None if post is None else POSTS[Post(post)].levels
        headed = {each: row.values.get(each) for each in ("section", "within")}
        asked = {"branch_id": unit_id, "branch": name, **headed}
        return self.named_unit(row, made, asked, self.places["unit_id"], levels)

    def read(self, appointment_ids: set[UUID]) -> None:
        wanted = sorted(appointment_ids)
        for chunk in chunks(wanted):
            here = lists.known(self.db, self.actor, col(Appointment.id).in_(chunk))
            self.records |= {record.id: record for record in here}

    def _of(self, unit_id: int) -> Unit:
        if unit_id not in self._whole:
            self._whole[unit_id] = unit_of(self.db, unit_id)
        return self._whole[unit_id]

    # -- an appointment on record

    def meet(
        self, row: Given, made: RowPlan, target: UUID, unit: Branch | None, *, untouched: bool
    ) -> None:
        """The changes of an appointment on record."""
        record = self.records.get(target)
        if record is None:
            self.refuse(made, row, "id", "appointment_unknown")
            return
        made.entity_id, made.entity_revision = target, record.revision
        if untouched:
            made.outcome, made.unit_id = RowOutcome.same, record.unit_id
            return
        if record.unit_id not in self.units.by_id:
            self.refuse(made, row, "id", "appointment_elsewhere")
            return
        self._compare_acts(row, made, record, unit)
        made.unit_id = record.unit_id
        told = dict(self._told(row, made, record))
        try:
            body = AppointmentUpdate.model_validate(told)
            values = body.model_dump(exclude_unset=True)
            known = {name: getattr(record, name) for name in _PLAIN} | {"term": _term_of(record)}
            changed = {name for name, value in values.items() if value != known[name]}
            if changed:
                body = AppointmentUpdate.model_validate({name: told[name] for name in changed})
                whole = self._of(record.unit_id)
                appointments.ensure_correctable(self.db, self.actor, record, whole, body)
        except ValidationError as error:
            self.refuse_all(made, row, field_errors(error))
            return
        except Problem as problem:
            self.refuse_problem(made, row, problem, "post")
            return
        made.outcome = RowOutcome.updated if changed else RowOutcome.same
        made.writes = body.model_dump(mode="json", exclude_unset=True) if changed else {}

    def _compare_acts(self, row: Given, made: RowPlan, record: Any, unit: Branch | None) -> None:
        """Another person, unit or post is another appointment: no correction of this one."""
        said = row.values
        if unit is not None and unit.id != record.unit_id:
            self.refuse(made, row, self.places["unit_id"], "act_needed")
        if said.get("member_id") is not None:
            if said["member_id"] != str(record.member_id):
                self.refuse(made, row, "member_id", "act_needed")
        elif said.get("full_name") and sort_key(said["full_name"]) != sort_key(record.full_name):
            self.refuse(made, row, self.places["member_id"], "act_needed")
        for name in ("post", "acting"):
            value = said.get(name)
            if value is not None and value != getattr(record, name):
                self.refuse(made, row, name, "act_needed")

    def _told(self, row: Given, made: RowPlan, record: Any) -> Iterator[tuple[str, Any]]:
        """The values of the row for an appointment."""
        for name in _PLAIN:
            value = row.values.get(name)
            clears = self.frame.empty_cells is EmptyCells.clear and name not in _NEVER_EMPTY
            if value is not None or (clears and name in row.values):
                yield name, value
        term = self._term(row, made, record.unit_id, record)
        if term is not None:
            yield "term", term

    def _term(self, row: Given, made: RowPlan, unit_id: int, record: Any = None) -> Json | None:
        """The term a row names; years name a term that the unit has already."""
        said = row.values.get("term") or {}
        number = row.values.get("congress_number") or said.get("congress_number")
        first = row.values.get("term_from") or said.get("starts_on")
        last = row.values.get("term_to") or said.get("ends_on")
        if number is None and first is None and last is None:
            return None
        whole = len("2026-01-01")
        if number and len(first or "") == whole and len(last or "") == whole:
            return {"congress_number": number, "starts_on": first, "ends_on": last}
        own = None if record is None else _term_of(record)
        if own is not None:
            known = {(own["congress_number"], str(own["starts_on"]), str(own["ends_on"]))}
        else:
            known = self._terms_in(unit_id)
        fitting = [
            each
            for each in known
            if number in (None, each[0])
            and each[1].startswith(first or "")
            and each[2].startswith(last or "")
        ]
        if len(fitting) == 1:
            return dict(zip(("congress_number", "starts_on", "ends_on"), fitting[0], strict=True))
        field = next((n for n in ("term", "term_from", "term_to") if row.values.get(n)), None)
        self.refuse(made, row, field or "congress_number", "term_incomplete", level="warning")
        return None

    def _terms_in(self, unit_id: int) -> set[Term]:
        if unit_id not in self._terms:
            columns = (Appointment.congress_number, Appointment.term_from, Appointment.term_to)
            statement: AnySelect = sa.select(*(col(each) for each in columns)).where(
                col(Appointment.unit_id) == unit_id, col(Appointment.congress_number).is_not(None)
            )
            rows = self.db.execute(statement.distinct())
            self._terms[unit_id] = {(row[0], str(row[1]), str(row[2])) for row in rows}
        return self._terms[unit_id]

    def compare_rows(self, pairs: Pairs) -> None:
        find_repeated(pairs, _same_appointment, "full_name", unless_decided=False)

    # -- an appointment that may be new

    def settle_new(self, row: Given, made: RowPlan, unit: Branch) -> None:
        """A new appointment, unless it is found to be one on record."""
        member_id = as_uuid(row.values.get("member_id")) or self._person(row, made, unit)
        post = row.values.get("post")
        if member_id is None or post is None:
            return
        record = self._same(member_id, unit, post, row.values.get("valid_from"))
        if record is not None:
            self.records[record.id] = record
            self.meet(row, made, record.id, unit, untouched=False)
            return
        given = {name: row.values[name] for name in _PLAIN if row.values.get(name) is not None}
        if row.values.get("acting") is not None:
            given["acting"] = row.values["acting"]
        if (term := self._term(row, made, unit.id)) is not None:
            given["term"] = term
        given |= {"member_id": str(member_id), "unit_id": unit.id, "post": post}
        wrong_fields = made.wrong_fields
        try:
            body = AppointmentCreate.model_validate(given)
            if not wrong_fields:
                appointments.ensure_possible(self.db, self.actor, body)
        except ValidationError as error:
            errors = field_errors(error)
            shown = [e for e in errors if e.pointer.strip("/") not in wrong_fields]
            self.refuse_all(made, row, shown)
            return
        except Problem as problem:
            self.refuse_problem(made, row, problem, "post")
            return
        made.writes = body.model_dump(mode="json", exclude_unset=True)
        made.entity_id = new_id()

    def _person(self, row: Given, made: RowPlan, unit: Branch) -> UUID | None:
        """Who is meant; None when that is not certain, and the row waits or is in error."""
        name = row.values.get("full_name")
        if name is None:
            return None
        birth, number = row.values.get("birth_date"), row.values.get("citizen_id")
        reach = self._people(unit)
        found = people.find(self.db, self.actor, reach, name, birth, number)
        if found.member is not None:
            return UUID(str(found.member.id))
        field = self.places["member_id"]
        if not found.maybe:
            self.refuse(made, row, field, "member_not_found")
            return None
        made.candidates = people.candidates(self.db, found.maybe)
        if row.decision is RowDecision.update:
            return UUID(str(found.maybe[0].id))
        made.outcome = RowOutcome.duplicate
        self.refuse(made, row, field, "member_ambiguous", level="warning")
        return None

    def _people(self, unit: Branch) -> Reach:
        """Among whom a person is looked for: those of the unit; of a group, of its branch."""
        whole = self._of(unit.id)
        if whole.level is UnitLevel.group and whole.branch_id is not None:
            return Reach(UnitLevel.branch, whole.branch_id)
        return reach_of(self.db, whole)

    def _same(self, member_id: UUID, unit: Branch, post: str, since: str | None) -> Any:
        """Her appointment to this post from this day; without a day, the one in force."""
        today = local_today()
        days = (
            [
                col(Appointment.valid_from) <= today,
                sa.or_(col(Appointment.valid_to).is_(None), col(Appointment.valid_to) >= today),
            ]
            if since is None
            else [col(Appointment.valid_from) == date.fromisoformat(since)]
        )
        found = lists.known(
            self.db,
            self.actor,
            col(Appointment.member_id) == member_id,
            col(Appointment.unit_id) == unit.id,
            col(Appointment.post) == Post(post),
            *days,
        )
        return found[0] if found else None


def _flatten(row: Given) -> None:
    """The holder, as our export writes them."""
    holder = row.values.get("member") or {}
    if row.values.get("member_id") is None and isinstance(holder.get("id"), str):
        row.values["member_id"] = holder["id"]
    if row.values.get("full_name") is None and holder.get("name") is not None:
        row.values["full_name"] = holder["name"]


def _term_of(record: Any) -> Json | None:
    if record.congress_number is None:
        return None
    named = ("congress_number", "term_from", "term_to")
    keys = ("congress_number", "starts_on", "ends_on")
    return dict(zip(keys, (getattr(record, name) for name in named), strict=True))


def _same_appointment(_: Given, made: RowPlan) -> Iterator[Key]:
    if made.entity_revision is not None:
        yield "id", str(made.entity_id)
    elif made.outcome is RowOutcome.created and made.writes:
        named = ("member_id", "unit_id", "post", "valid_from")
        yield "row", *(str(made.writes.get(name)) for name in named)


FORM = KindOfForm(
    model=Appointment,
    create=AppointmentCreate,
    update=AppointmentUpdate,
    enter=appointments.enter,
    correct=appointments.correct,
    withdraw=appointments.withdraw,
    restore=appointments.restore,
    hold=appointments.hold_many,
    in_use=grants.handed_on,
    own_tables=("access_grant",),
    field="post",
    places=_PLACES,
)
APPOINTMENTS: Final = KindOfList(
    name="appointments",
    entity="appointment",
    right=Right.appointments_write,
    masks={"citizen_id": Right.members_citizen_id, "phone": Right.members_phone},
    plan=plan,
    write=FORM.write,
    finish=FORM.finish,
    hold=FORM.hold,
    obstacles=FORM.obstacles,
    take_back=FORM.take_back,
    listed=AppointmentRead,
)
