"""Reading appointments: one, a list of them, and the radar of posts that nobody holds."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import col

from app.clock import local_today
from app.db import AnySelect
from app.errors import invalid, not_found
from app.models.cadres.appointments import (
    POSTS,
    Appointment,
    AppointmentQuery,
    AppointmentRead,
    Post,
    PostRead,
    UnitAppointmentQuery,
    role_of,
)
from app.models.kernel.access import Right
from app.models.kernel.units import Unit, UnitLevel
from app.models.members.members import Member
from app.services.kernel.access import Actor, Db, ensure, require_somewhere, visible
from app.services.kernel.actors import reach_of
from app.services.kernel.keyset import Order, Pages, each, pages
from app.services.kernel.offers import DAYS_ON_A_PHONE, Follows, SyncData, SyncKind, Work
from app.services.kernel.reach import within
from app.services.units.in_tree import InTree, rows_of_units
from app.services.units.units import find_visible, valid_on

_DAY = timedelta(days=1)
_SOON = timedelta(days=60)
_FIELDS = AppointmentRead.model_fields.keys()
# The order of the posts in lists: as the enum has them, the chair first.
_RANKS = {post: rank for rank, post in enumerate(Post)}
_Branch = aliased(Unit)
_rank = sa.case(_RANKS, value=col(Appointment.post)).label("rank")
_ROW: AnySelect = (
    sa.select(
        *(getattr(Appointment, name) for name in Appointment.model_fields),
        _rank,
        col(Unit.level).label("unit_level"),
        col(Unit.name).label("unit_name"),
        col(Member.full_name),
        col(Member.branch_id),
        col(_Branch.level).label("branch_level"),
        col(_Branch.name).label("branch_name"),
    )
    .join(Unit, col(Unit.id) == col(Appointment.unit_id))
    .join(Member, col(Member.id) == col(Appointment.member_id))
    .join(_Branch, col(_Branch.id) == col(Member.branch_id))
)


def _row_for(actor: Actor) -> AnySelect:
    """`_ROW`, and whether the actor may know where the holder stands today."""
    return _ROW.add_columns(visible(Member, actor, Right.members_read).label("sees_holder"))


def known(db: Db, actor: Actor, *those: sa.ColumnElement[bool]) -> Sequence[Any]:
    """Appointments in scope with all that is stored of them, for services that compare."""
    seen = visible(Unit, actor, Right.appointments_read)
    return db.execute(_ROW.where(seen, *those).order_by(col(Appointment.id))).all()


def list_posts() -> list[PostRead]:
    """Every post with its names, where it exists and the role that comes with it there."""
    return [
        PostRead(
            post=post,
            name_vi=facts.vi,
            name_en=facts.en,
            levels=[level for level in UnitLevel if level in facts.levels],
            single=facts.single,
            expected=facts.expected,
            roles={
                level: role
                for level in UnitLevel
                if level in facts.levels and (role := role_of(post, level)) is not None
            },
        )
        for post, facts in POSTS.items()
    ]


_BY_UNIT_AND_POST = Order(col(Appointment.unit_id), _rank, col(Appointment.id))


def get_appointment(db: Db, actor: Actor, appointment_id: UUID) -> dict[str, Any]:
    """One appointment in scope."""
    require_somewhere(db, actor, Right.appointments_read)
    row = db.execute(
        _row_for(actor).where(
            col(Appointment.id) == appointment_id, visible(Unit, actor, Right.appointments_read)
        )
    ).one_or_none()
    if row is None:
        raise not_found()
    return _read(row)


def list_appointments(
    db: Db,
    actor: Actor,
    query: AppointmentQuery | UnitAppointmentQuery,
    unit: Unit | None,
) -> Pages:
    """Appointments in scope, in `unit` and below it, by unit and then by post."""
    require_somewhere(db, actor, Right.appointments_read)
    statement = _row_for(actor).where(*_here(db, actor, unit, query), *_filters(query))
    return pages(statement, _BY_UNIT_AND_POST, each(_read))


def _ending(_: Db, actor: Actor) -> AnySelect:
    """Posts in force whose term ends soon, or has ended."""
    today = local_today()
    ends_on = sa.func.coalesce(col(Appointment.term_to), col(Appointment.valid_to))
    return (
        sa.select(col(Appointment.id), ends_on.label("since"), col(Appointment.unit_id))
        .join(Unit, col(Unit.id) == col(Appointment.unit_id))
        .where(
            visible(Unit, actor, Right.appointments_write),
            valid_on(Appointment, today),
            ends_on <= today + _SOON,
        )
    )


WORK = Work(
    kind="post_ending",
    right=Right.appointments_write,
    waiting=_ending,
    link="/v1/appointments/{id}",
)


def access_unit(db: Db, actor: Actor, unit_id: int) -> Unit:
    """The unit of an address: 404 when it is out of scope, 403 without the right to read posts."""
    unit = find_visible(db, actor, unit_id)
    if unit is None:
        require_somewhere(db, actor, Right.appointments_read)
        raise not_found()
    ensure(db, actor, Right.appointments_read, unit, seen_with=Right.units_read)
    return unit


def _here(db: Db, actor: Actor, unit: Unit | None, query: InTree) -> list[sa.ColumnElement[bool]]:
    """Units where the actor reads posts, in the unit of a filter."""

    def standing(unit: Unit) -> sa.ColumnElement[bool]:
        # By the path of the units, which a closed unit keeps.
        return sa.or_(col(Unit.id) == unit.id, reach_of(db, unit).predicate(Unit))

    return rows_of_units(db, actor, Right.appointments_read, unit, query, standing)


def _filters(query: AppointmentQuery | UnitAppointmentQuery) -> list[sa.ColumnElement[bool]]:
    _ensure_one_time(query, "all", "in_force_on", "expiring_within")
    filters = []
    if not query.all:
        filters.append(valid_on(Appointment, query.in_force_on or local_today()))
    if query.expiring_within is not None:
        within = timedelta(days=int(query.expiring_within.removesuffix("d")))
        until = local_today() + within
        # A holder whose term has already ended is listed too, not left out.
        filters.append(
            sa.or_(col(Appointment.valid_to) <= until, col(Appointment.term_to) <= until)
        )
    asked = {
        Appointment.post: query.post,
        Appointment.payment: query.payment,
        Appointment.member_id: query.member,
    }
    filters += [col(column) == wanted for column, wanted in asked.items() if wanted is not None]
    return filters


def _ensure_one_time(query: Any, *names: str) -> None:
    """Each of these sets the day of the list: two of them contradict each other."""
    given = [name for name in names if getattr(query, name)]
    if len(given) > 1:
        raise invalid("not_together", f"/{given[1]}", place="query", expected=given[0])


def _read(row: Any) -> dict[str, Any]:
    """A row of `_row_for` as AppointmentRead."""
    values = dict(row._mapping)
    values |= {
        "unit": {"id": row.unit_id, "level": row.unit_level, "name": row.unit_name},
        "member": {
            "id": row.member_id,
            "full_name": row.full_name,
            "branch": {"id": row.branch_id, "level": row.branch_level, "name": row.branch_name}
            if row.sees_holder
            else None,
        },
        "term": None
        if row.term_from is None
        else {
            "congress_number": row.congress_number,
            "starts_on": row.term_from,
            "ends_on": row.term_to,
        },
        "ended_on": None if row.reason is None else row.valid_to,
        "vacant": False,
        "vacant_since": None,
    }
    return {name: values[name] for name in _FIELDS}


def _of_ids(db: Db, actor: Actor, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    return [_read(row) for row in db.execute(_row_for(actor).where(col(Appointment.id).in_(ids)))]


def _held_by(who: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    return col(Appointment.member_id).in_(sa.select(col(Member.id)).where(who))


POST_NAMES = SyncData(
    name="post",
    schema=PostRead,
    key="post",
    rows=lambda _: (each.model_dump(mode="json") for each in list_posts()),
)
SYNC = SyncKind(
    name="appointment",
    entity="appointment",
    right=Right.appointments_read,
    schema=AppointmentRead,
    model=Appointment,
    place=Unit,
    joined=lambda rows: rows.join(Unit, col(Unit.id) == col(Appointment.unit_id)),
    rows=_of_ids,
    shown_by=frozenset({Right.members_read}),
    # Of vacancies, which the phone sees from the posts it has.
    derived=frozenset({"vacant", "vacant_since"}),
    parents={"unit": "unit.id", "member": "member.id"},
    follows=(
        Follows(
            entity="member",
            of=lambda ids: sa.select(col(Appointment.id)).where(
                col(Appointment.member_id).in_(ids)
            ),
        ),
        Follows(
            entity="unit",
            of=lambda ids: sa.select(col(Appointment.id)).where(
                sa.or_(
                    col(Appointment.unit_id).in_(ids),
                    _held_by(col(Member.branch_id).in_(ids)),
                )
            ),
        ),
    ),
    shows=lambda reaches: _held_by(within(Member, reaches)),
    names={"member": col(Appointment.member_id)},
    day=sa.func.coalesce(col(Appointment.valid_to), date.max),
    days=DAYS_ON_A_PHONE,
)


# -- the radar

_EXPECTED = sa.union_all(
    *(
        sa.select(
            sa.literal(level.value).label("level"),
            sa.literal(post.value).label("post"),
            sa.literal(_RANKS[post]).label("rank"),
        )
        for post, facts in POSTS.items()
        if facts.expected
        for level in UnitLevel
        if level in facts.levels
    )
).subquery("expected")


_OF_POST = (
    col(Appointment.unit_id) == col(Unit.id),
    sa.type_coerce(col(Appointment.post), sa.String) == _EXPECTED.c.post,
)


def vacant_on(day: Any, *columns: Any) -> AnySelect:
    """Of the units that are open on the day each expected post that nobody holds, with these columns
    and its `rank` in the unit."""
    return (
        sa.select(*columns, _EXPECTED.c.rank)
        .join(_EXPECTED, _EXPECTED.c.level == sa.type_coerce(col(Unit.level), sa.String))
        .where(
            col(Unit.opened_on) <= day,
            sa.or_(col(Unit.closed_on).is_(None), col(Unit.closed_on) >= day),
            ~sa.exists().where(*_OF_POST, valid_on(Appointment, day)),
        )
    )


def list_vacancies(
    db: Db,
    actor: Actor,
    query: UnitAppointmentQuery,
    unit: Unit,
) -> Pages:
    """Expected posts, of open units in scope from `unit` down, that nobody holds today."""
    _ensure_one_time(query, "vacant", "all", "in_force_on", "expiring_within", "member", "payment")
    today = local_today()
    last_held = (
        sa.select(sa.func.max(col(Appointment.valid_to)))
        .where(
            *_OF_POST,
            col(Appointment.valid_to) < today,
            col(Appointment.valid_to) >= col(Appointment.valid_from),
        )
        .scalar_subquery()
        .label("last_held")
    )
    columns = (col(Unit.id), col(Unit.level), col(Unit.name), _EXPECTED.c.post, last_held)
    statement = vacant_on(today, *columns).where(*_here(db, actor, unit, query))
    if query.post is not None:
        statement = statement.where(_EXPECTED.c.post == query.post.value)
    return pages(statement, Order(col(Unit.id), _EXPECTED.c.rank), each(_vacancy))


def _vacancy(row: Any) -> dict[str, Any]:
    last_held: date | None = row.last_held
    return dict.fromkeys(_FIELDS) | {
        "unit": {"id": row.id, "level": row.level, "name": row.name},
        "post": row.post,
        "acting": False,
        "vacant": True,
        "vacant_since": last_held and last_held + _DAY,
    }
