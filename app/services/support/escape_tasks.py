"""What is due on the paths out of poverty."""

from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from app.clock import local_today
from app.db import AnySelect
from app.models.households.households import Household, PovertyClass
from app.models.kernel.access import Right
from app.models.kernel.units import Unit
from app.models.members.members import Member, MemberStatus
from app.models.support.escape_paths import (
    EscapeCheck,
    EscapePath,
    EscapeStep,
    PathState,
    TaskKind,
    TaskQuery,
    TaskRead,
)
from app.services.kernel.access import Actor, Db, visible
from app.services.kernel.keyset import Order, Pages, fields_of, pages
from app.services.kernel.offers import Work
from app.services.kernel.reach import within
from app.services.members import scope as member_scope
from app.services.support.escape_paths import RELAPSED

_RELAPSED_TO = {PovertyClass.poor: "Tái nghèo", PovertyClass.near_poor: "Tái cận nghèo"}


def list_tasks(db: Db, actor: Actor, query: TaskQuery) -> Pages:
    """Steps and checks that are due, households that are poor again; the oldest first."""
    scope = member_scope.asked(db, actor, [Right.poverty_read], query.unit)
    tasks = _due(within(Household, scope), query.due_to or local_today())
    order = Order(tasks.c.due_on, tasks.c.id, tasks.c.kind)
    return pages(sa.select(tasks), order, fields_of(TaskRead))


def _waiting(_: Db, actor: Actor) -> AnySelect:
    """Paths with a task that is due, each once."""
    tasks = _due(visible(Household, actor, Right.poverty_write), local_today())
    return sa.select(
        tasks.c.path_id.label("id"),
        sa.func.min(tasks.c.due_on).label("since"),
        tasks.c.branch_id.label("unit_id"),
    ).group_by(tasks.c.path_id, tasks.c.branch_id)


WORK = Work(
    kind="escape_path",
    right=Right.poverty_write,
    waiting=_waiting,
    link="/v1/escape-paths/{id}",
)


def _due(here: sa.ColumnElement[bool], due: date) -> sa.Subquery:
    return sa.union_all(
        _task(
            TaskKind.step,
            EscapeStep.id,
            EscapeStep.title,
            sa.func.coalesce(col(EscapeStep.responsible), col(Member.full_name)),
            EscapeStep.due_on,
        )
        .join(EscapePath, col(EscapePath.id) == col(EscapeStep.path_id))
        .join(Household, col(Household.id) == col(EscapeStep.household_id))
        .join(Member, col(Member.id) == col(EscapeStep.responsible_member_id), isouter=True)
        .where(
            here,
            col(EscapePath.state) == PathState.open,
            col(EscapeStep.done_on).is_(None),
            col(EscapeStep.due_on) <= due,
        ),
        _task(TaskKind.check, EscapeCheck.id, _months(), _helper_name(), EscapeCheck.due_on)
        .join(EscapePath, col(EscapePath.id) == col(EscapeCheck.path_id))
        .join(Household, col(Household.id) == col(EscapeCheck.household_id))
        .join(Unit, col(Unit.id) == col(EscapePath.helper_id))
        .where(here, col(EscapeCheck.done_on).is_(None), col(EscapeCheck.due_on) <= due),
        _task(
            TaskKind.relapse,
            EscapePath.id,
            sa.case(_RELAPSED_TO, value=col(Household.poverty_class)),
            _helper_name(),
            Household.poverty_since,
        )
        .join(Household, col(Household.id) == col(EscapePath.household_id))
        .join(Unit, col(Unit.id) == col(EscapePath.helper_id))
        .where(here, RELAPSED, ~_followed_by_another()),
        _task(
            TaskKind.responsible,
            EscapeStep.id,
            EscapeStep.title,
            col(Member.full_name),
            EscapeStep.due_on,
        )
        .join(EscapePath, col(EscapePath.id) == col(EscapeStep.path_id))
        .join(Household, col(Household.id) == col(EscapeStep.household_id))
        .join(Member, col(Member.id) == col(EscapeStep.responsible_member_id))
        .where(
            here,
            col(EscapePath.state) == PathState.open,
            col(EscapeStep.done_on).is_(None),
            col(Member.status).in_((MemberStatus.left, MemberStatus.deceased)),
        ),
    ).subquery("task")


def _task(kind: TaskKind, id_: Any, title: Any, responsible: Any, due_on: Any) -> AnySelect:
    columns = {
        "kind": sa.literal(kind.value, sa.String),
        "id": id_,
        "path_id": col(EscapePath.id),
        "household_id": col(Household.id),
        "head_name": col(Household.head_name),
        "branch_id": col(Household.branch_id),
        "title": sa.cast(title, sa.String),
        "responsible": responsible,
        "due_on": due_on,
    }
    return sa.select(*(columns[name].label(name) for name in TaskRead.model_fields))


def _months() -> Any:
    return sa.literal("Kiểm tra sau khi thoát nghèo, tháng thứ ").concat(
        sa.cast(col(EscapeCheck.months), sa.String)
    )


def _helper_name() -> Any:
    return col(Unit.name)


def _followed_by_another() -> sa.ColumnElement[bool]:
    """The household is on a newer path, which has taken over the task."""
    newer = sa.orm.aliased(EscapePath)
    return sa.exists().where(
        col(newer.household_id) == col(EscapePath.household_id),
        col(newer.opened_on) >= col(EscapePath.closed_on),
        col(newer.id) != col(EscapePath.id),
    )
