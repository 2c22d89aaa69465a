"""Escape paths (lộ trình thoát nghèo): a plan with steps, its result, and checks after an escape.

What is due is never stored: tasks follow from steps and checks not done, and from decisions that
made an escaped household poor again.
"""

from datetime import date
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from dateutil.relativedelta import relativedelta
from sqlmodel import Session, col

from app.clock import local_today, utc_now
from app.db import AnySelect
from app.errors import Problem, invalid, not_found
from app.models.base import new_id
from app.models.households.households import Household, PovertyClass
from app.models.kernel.access import Right
from app.models.kernel.units import UnitLevel
from app.models.support.escape_paths import (
    CheckDone,
    CheckRead,
    EscapeCheck,
    EscapePath,
    EscapeStep,
    PathClose,
    PathCreate,
    PathItem,
    PathQuery,
    PathState,
    StepInput,
    StepRead,
    StepUpdate,
)
from app.services.households import households
from app.services.kernel.access import (
    Actor,
    Db,
    Expected,
    ensure,
    ensure_revision,
    require_somewhere,
)
from app.services.kernel.created_once import created_once, holds, insert
from app.services.kernel.keyset import Order, Pages, pages
from app.services.members import persons
from app.services.members import scope as member_scope
from app.services.support import programmes
from app.services.units.units import ensure_open, find_target

_IN_POVERTY = (PovertyClass.poor, PovertyClass.near_poor)
_CLOSED = (PathState.escaped, PathState.improved, PathState.stopped)

# -- reading

RELAPSED = sa.and_(
    col(EscapePath.state) == PathState.escaped,
    col(Household.poverty_class).in_(_IN_POVERTY),
    # On the last day itself it was not poor yet when the path was closed.
    col(Household.poverty_since) >= col(EscapePath.closed_on),
)


def _of_path(wanted: Any) -> Any:
    return (
        sa.select(sa.func.count())
        .where(col(EscapeStep.path_id) == col(EscapePath.id), wanted)
        .correlate(EscapePath)
        .scalar_subquery()
    )


_COMPUTED: dict[str, Any] = {
    "head_name": col(Household.head_name),
    "branch_id": col(Household.branch_id),
    "female_headed": col(Household.female_headed),
    "steps_total": _of_path(sa.true()),
    "steps_done": _of_path(col(EscapeStep.done_on).is_not(None)),
    "relapsed": sa.type_coerce(sa.case((RELAPSED, sa.true()), else_=sa.false()), sa.Boolean),
}
_PATHS: AnySelect = sa.select(
    *(
        _COMPUTED[name].label(name) if name in _COMPUTED else getattr(EscapePath, name)
        for name in PathItem.model_fields
    )
).join(Household, col(Household.id) == col(EscapePath.household_id))


_NEWEST = Order(col(EscapePath.id).desc())


def list_paths(db: Db, actor: Actor, query: PathQuery) -> Pages:
    """Paths of the households in my scope, the newest first."""
    here = member_scope.rows(
        db,
        actor,
        [Right.poverty_read],
        query,
        Household,
        lambda places: places.have(Household.branch_id),
    )
    statement = _PATHS.where(here)
    if query.state is not None:
        statement = statement.where(col(EscapePath.state) == query.state)
    return pages(statement, _NEWEST)


def list_of_household(db: Db, actor: Actor, household_id: UUID) -> Pages:
    households.access(db, actor, household_id, Right.poverty_read)
    return pages(_PATHS.where(col(EscapePath.household_id) == household_id), _NEWEST)


def get_path(db: Db, actor: Actor, path_id: UUID) -> dict[str, Any]:
    """One path with its steps and checks."""
    row = db.execute(
        _PATHS.add_columns(col(Household.province_id), col(Household.commune_id)).where(
            col(EscapePath.id) == path_id
        )
    ).one_or_none()
    if row is None:
        require_somewhere(db, actor, Right.members_read)
        raise not_found()
    ensure(db, actor, Right.poverty_read, row, seen_with=Right.members_read)
    item = {name: getattr(row, name) for name in PathItem.model_fields}
    for name, model, schema, order in (
        ("steps", EscapeStep, StepRead, EscapeStep.due_on),
        ("checks", EscapeCheck, CheckRead, EscapeCheck.months),
    ):
        rows = db.execute(
            sa.select(*(getattr(model, field) for field in schema.model_fields))
            .where(col(model.path_id) == path_id)
            .order_by(col(order), col(model.id))
        )
        item[name] = [dict(each._mapping) for each in rows]
    return item


# -- opening


def open_path(
    session: Session, actor: Actor, household_id: UUID, body: PathCreate
) -> tuple[UUID, bool]:
    """Open an escape path for a household; it has one open path at most."""
    household = households.lock(session, actor, household_id, Right.poverty_write)
    path, is_new = created_once(
        session,
        EscapePath,
        body.id,
        partial(_opened, session, actor, household, body),
        same=partial(_is_same, session, household_id, body),
        taken={"uq_escape_path_open": Problem("path_open")},
    )
    if is_new:
        steps = [_step(path, step) for step in body.steps]
        insert(session, steps, {"pk_escape_step": Problem("id_taken")})
    return path.id, is_new


def _opened(session: Session, actor: Actor, household: Household, body: PathCreate) -> EscapePath:
    if household.closed_on is not None:
        raise Problem("household_closed", closed_on=household.closed_on.isoformat())
    opened_on = body.opened_on or local_today()
    if opened_on < household.opened_on:
        raise invalid("before_household", "/opened_on", date=household.opened_on.isoformat())
    if body.target_on <= opened_on:
        raise invalid("dates_reversed", "/target_on")
    helper_id = _helper(session, actor, household, body, opened_on)
    _ensure_steps(session, actor, body, opened_on)
    now = utc_now()
    return EscapePath(
        household_id=household.id,
        province_id=household.province_id,
        helper_id=helper_id,
        opened_on=opened_on,
        target_on=body.target_on,
        state=PathState.open,
        note=body.note,
        account_id=actor.account_id,
        created_at=now,
        updated_at=now,
    )


def _step(path: EscapePath, step: StepInput) -> EscapeStep:
    return EscapeStep(
        **step.model_dump(exclude={"id"}),
        id=step.id or new_id(),
        path_id=path.id,
        household_id=path.household_id,
        province_id=path.province_id,
        created_at=path.created_at,
        updated_at=path.created_at,
    )


def _is_same(session: Session, household_id: UUID, body: PathCreate, path: EscapePath) -> bool:
    sent = {"household_id": household_id, "target_on": body.target_on, "note": body.note}
    if body.opened_on is not None:
        sent["opened_on"] = body.opened_on
    titles = session.execute(
        sa.select(col(EscapeStep.title)).where(col(EscapeStep.path_id) == path.id)
    ).scalars()
    same_steps = sorted(titles) == sorted(step.title for step in body.steps)
    return holds(sent)(path) and same_steps


def _helper(
    session: Session, actor: Actor, household: Household, body: PathCreate, on: date
) -> int:
    """The branch that takes the household on: its own, or another in the actor's sight."""
    if body.helper_id is None:
        return household.branch_id
    branch = find_target(
        session,
        actor,
        body.helper_id,
        Right.units_read,
        pointer="/helper_id",
        level=UnitLevel.branch,
    )
    ensure_open(branch, on, pointer="/helper_id")
    return branch.id


def _ensure_steps(session: Session, actor: Actor, body: PathCreate, opened_on: date) -> None:
    for place, step in enumerate(body.steps):
        if (step.responsible is None) == (step.responsible_member_id is None):
            expected = ("responsible", "responsible_member_id")
            raise invalid("one_of_needed", f"/steps/{place}/responsible", expected=expected)
        if step.due_on < opened_on:
            raise invalid("dates_reversed", f"/steps/{place}/due_on")
        if step.responsible_member_id is not None:
            pointer = f"/steps/{place}/responsible_member_id"
            persons.find_member(session, actor, step.responsible_member_id, pointer=pointer)


# -- going on


def _access(session: Session, actor: Actor, path_id: UUID) -> tuple[EscapePath, Household]:
    """The path with its household, both locked."""
    found = session.execute(
        sa.select(col(EscapePath.household_id)).where(col(EscapePath.id) == path_id)
    ).scalar()
    if found is None:
        require_somewhere(session, actor, Right.members_read)
        raise not_found()
    household = households.lock(session, actor, found, Right.poverty_write)
    return session.get_one(EscapePath, path_id, with_for_update=True), household


def update_step(
    session: Session, actor: Actor, step_id: UUID, body: StepUpdate, expected: Expected
) -> UUID:
    """Change a step of an open path, or mark it as done."""
    step = session.get(EscapeStep, step_id)
    if step is None:
        require_somewhere(session, actor, Right.members_read)
        raise not_found()
    path, _ = _access(session, actor, step.path_id)
    session.refresh(step)
    ensure_revision(step.revision, expected)
    if path.state is not PathState.open:
        raise Problem("path_state", status=path.state)
    values = body.model_dump(exclude_unset=True) | _responsible(session, actor, body)
    if (done := values.get("done_on")) is not None and done < path.opened_on:
        raise invalid("dates_reversed", "/done_on")
    for name, value in values.items():
        setattr(step, name, value)
    session.flush()
    return path.id


def _responsible(session: Session, actor: Actor, body: StepUpdate) -> dict[str, Any]:
    """Somebody by name, or a member: the one named takes the place of the other."""
    sent = body.model_dump(include={"responsible", "responsible_member_id"}, exclude_unset=True)
    if not sent:
        return {}
    if len(sent) > 1:
        raise invalid("not_together", "/responsible", expected="responsible_member_id")
    if (member_id := sent.get("responsible_member_id")) is not None:
        pointer = "/responsible_member_id"
        person = persons.find_member(session, actor, member_id, pointer=pointer)
        persons.ensure_in_union(person)
    return {"responsible": None, "responsible_member_id": None} | sent


def close(session: Session, actor: Actor, path_id: UUID, body: PathClose) -> UUID:
    """What came of it. An escape is what the commune has recognised, and is checked on later."""
    if body.state is PathState.open:
        raise invalid("not_in_list", "/state", allowed=[*_CLOSED])
    path, household = _access(session, actor, path_id)
    closed_on = body.effective_on or local_today()
    if path.state is body.state and body.effective_on in (None, path.closed_on):
        return path.id
    if path.state is not PathState.open:
        raise Problem("path_state", status=path.state)
    if closed_on < path.opened_on:
        raise invalid("dates_reversed", "/effective_on")
    if body.state is PathState.escaped:
        status = households.status_on(session, household.id, closed_on)
        if status is None or status.poverty_class in _IN_POVERTY:
            raise Problem("still_poor", date=closed_on.isoformat())
        session.add_all(_checks(path, closed_on))
    path.state, path.closed_on = body.state, closed_on
    if body.note is not None:
        path.note = body.note
    session.flush()
    return path.id


def _checks(path: EscapePath, escaped_on: date) -> list[EscapeCheck]:
    now = utc_now()
    return [
        EscapeCheck(
            path_id=path.id,
            household_id=path.household_id,
            province_id=path.province_id,
            months=months,
            due_on=escaped_on + relativedelta(months=months),
            created_at=now,
            updated_at=now,
        )
        for months in programmes.catalogue().escape_check_months
    ]


def check(session: Session, actor: Actor, check_id: UUID, body: CheckDone) -> UUID:
    """Record what a check has found."""
    found = session.get(EscapeCheck, check_id)
    if found is None:
        require_somewhere(session, actor, Right.members_read)
        raise not_found()
    path, _ = _access(session, actor, found.path_id)
    session.refresh(found)
    done_on = body.done_on or local_today()
    escaped_on = path.closed_on or path.opened_on
    if done_on < escaped_on:
        raise invalid("check_too_early", "/done_on", date=escaped_on.isoformat())
    found.done_on, found.outcome, found.note = done_on, body.outcome, body.note
    session.flush()
    return path.id
