"""Members: the list anyone's scope can walk, one member, admission to a branch, corrections."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from app.clock import local_today, utc_now
from app.db import AnySelect, constraint_name
from app.errors import Problem, invalid, not_found
from app.models.access import Right
from app.models.base import Uuid
from app.models.members import Member, MemberCreate, MemberQuery, MemberRead, MemberUpdate
from app.models.units import Unit, UnitLevel
from app.services import changes
from app.services.access import (
    Actor,
    Db,
    Reach,
    ensure,
    ensure_revision,
    reach_of,
    require_somewhere,
)
from app.services.units import (
    CURRENT_MEMBERS,
    ensure_open,
    find_target,
    find_visible,
)
from app.text import search_key, sort_key

MASKS = changes.TRACKED[Member].masks
_SHOWN = [name for name in MemberRead.model_fields if name != "masked"]
# Enums and dates as the text they are stored as: nothing is converted to be converted back.
_TEXT = ("gender", "kind", "status", "joined_on", "religion")
_COLUMNS: list[Any] = [
    sa.type_coerce(getattr(Member, name), sa.String).label(name)
    if name in _TEXT
    else getattr(Member, name)
    for name in _SHOWN
]
_BRANCH = _SHOWN.index("branch_id")
_BY_ID = sa.select(*_COLUMNS).where(col(Member.id) == sa.bindparam("member_id"))


# -- reading


def get_member(db: Db, actor: Actor, member_id: UUID) -> dict[str, Any]:
    """One member in scope, masked by right. The scope check compares columns already read."""
    row = db.execute(_BY_ID, {"member_id": member_id}).one_or_none()
    if row is None or not actor.covers(Right.members_read, row):
        require_somewhere(db, actor, Right.members_read)
        raise not_found()
    return _shown(actor, [row])[0]


def _shown(actor: Actor, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Rows as MemberRead, each with what this actor may not see set to null and named."""
    items = []
    by_branch: dict[int, list[str]] = {}
    for row in rows:
        branch_id = row[_BRANCH]
        masked = by_branch.get(branch_id)
        if masked is None:
            masked = by_branch[branch_id] = _masked(actor, row)
        item = dict(zip(_SHOWN, row, strict=False))  # a list's rows end with the sort key
        for name in masked:
            item[name] = None
        item["masked"] = masked
        items.append(item)
    return items


def _masked(actor: Actor, row: Any) -> list[str]:
    """Sensitive fields the actor may not see; the same for all members of a branch."""
    return [name for name, right in MASKS.items() if not actor.covers(right, row)]


def list_members(
    db: Db, actor: Actor, query: MemberQuery, after: tuple[Any, ...] | None, limit: int
) -> list[tuple[tuple[str, UUID], dict[str, Any]]]:
    """Members in name order: one limited index walk for each unit of the scope, merged."""
    walks = _walks(db, actor, query)
    if not walks:
        return []
    statement = _page_statement(
        tuple(column for column, _ in walks),
        after is not None,
        query.status is not None,
        query.kind is not None,
    )
    parameters: dict[str, Any] = {f"unit_{n}": unit_id for n, (_, unit_id) in enumerate(walks)}
    parameters |= {"limit": limit, "status": query.status, "kind": query.kind}
    if after is not None:
        parameters |= {"after_key": after[0], "after_id": after[1]}
    rows = db.execute(statement, parameters).all()
    # The key of a row: its sort key, which ends it, and its id, which begins it.
    return [((row[-1], row[0]), item) for row, item in zip(rows, _shown(actor, rows), strict=True)]


def _walks(db: Db, actor: Actor, query: MemberQuery) -> list[tuple[str | None, int]]:
    """The (level column, unit) pairs that make up scope and filter together."""
    scope = require_somewhere(db, actor, Right.members_read)
    for place, level, unit_id in (
        ("/unit", None, query.unit),
        ("/branch", UnitLevel.branch, query.branch),
        ("/commune", UnitLevel.commune, query.commune),
    ):
        if unit_id is not None:
            scope = _narrowed(db, actor, scope, unit_id, level, place)
    return [walk for reach in scope for walk in _columns_of(reach)]


def _narrowed(
    db: Db,
    actor: Actor,
    scope: tuple[Reach, ...],
    unit_id: int,
    level: UnitLevel | None,
    place: str,
) -> tuple[Reach, ...]:
    """What the scope and one unit have in common: of two nested units the inner one."""
    if len(scope) == 1 and scope[0].unit_id == unit_id and level in (None, scope[0].level):
        return scope
    unit = find_visible(db, actor, unit_id)
    if unit is None:
        raise invalid("unit_unknown", place, place="query")
    if level is not None and unit.level is not level:
        raise invalid("unit_level_wrong", place, place="query", expected=level.value)
    wanted = reach_of(db, unit)
    if any(reach.contains(unit) for reach in scope):
        return (wanted,)
    return tuple(reach for reach in scope if _contains_reach(db, wanted, reach))


def _contains_reach(db: Db, outer: Reach, inner: Reach) -> bool:
    row = db.execute(_UNIT_PATH, {"unit_id": inner.unit_id}).one()
    return outer.contains(row)


_UNIT_PATH = sa.select(
    col(Unit.province_id), col(Unit.district_id), col(Unit.commune_id), col(Unit.branch_id)
).where(col(Unit.id) == sa.bindparam("unit_id"))


def _columns_of(reach: Reach) -> list[tuple[str | None, int]]:
    if reach.level is UnitLevel.central:
        return [(None, 0)]
    if reach.level is UnitLevel.district:
        return [("commune_id", commune) for commune in reach.communes]
    if reach.level is UnitLevel.group:
        return []
    return [(f"{reach.level.value}_id", reach.unit_id)]


@lru_cache(maxsize=512)
def _page_statement(
    columns: tuple[str | None, ...], continued: bool, by_status: bool, by_kind: bool
) -> AnySelect:
    """One page over several units, built once a shape and then only bound.

    `unit IN (...) ORDER BY name` walks the national index (127 ms measured at 19 million); as
    one limited walk a unit, merged, it costs 0.64 ms. The row comparison pins each walk to its
    own (level, sort_key, id) index.
    """
    walks = [
        _walk(number, column, continued, by_status, by_kind)
        for number, column in enumerate(columns)
    ]
    if len(walks) == 1:
        return walks[0]
    merged = sa.union_all(*(sa.select(walk.subquery()) for walk in walks)).subquery()
    return (
        sa.select(merged)
        .order_by(merged.c.sort_key, merged.c.id)
        .limit(sa.bindparam("limit", type_=sa.Integer))
    )


def _walk(
    number: int, column: str | None, continued: bool, by_status: bool, by_kind: bool
) -> AnySelect:
    statement: AnySelect = sa.select(*_COLUMNS, col(Member.sort_key))
    order: list[Any] = [col(Member.sort_key), col(Member.id)]
    after: list[Any] = [
        sa.bindparam("after_key", type_=sa.String),
        sa.bindparam("after_id", type_=Uuid),
    ]
    if column is not None:
        unit = sa.bindparam(f"unit_{number}", type_=sa.Integer)
        level = getattr(Member, column)
        statement = statement.where(level == unit)
        order, after = [level, *order], [unit, *after]
    if continued:
        statement = statement.where(sa.tuple_(*order) > sa.tuple_(*after))
    if by_status:
        statement = statement.where(col(Member.status) == sa.bindparam("status"))
    else:
        statement = statement.where(col(Member.status).in_(CURRENT_MEMBERS))
    if by_kind:
        statement = statement.where(col(Member.kind) == sa.bindparam("kind"))
    return statement.order_by(*order).limit(sa.bindparam("limit", type_=sa.Integer))


# -- writing


def create(session: Session, actor: Actor, body: MemberCreate) -> tuple[Member, bool]:
    """Admit a person to a branch. The same id with the same content again is no second member."""
    branch = find_target(
        session,
        actor,
        body.branch_id,
        Right.members_write,
        pointer="/branch_id",
        level=UnitLevel.branch,
    )
    if body.id is not None and (sent_before := _sent_before(session, actor, body)) is not None:
        return sent_before, False
    # Of today, not of `joined_on`: she may have joined the union before this branch was opened.
    ensure_open(branch, local_today())
    if body.joined_on is not None:
        _ensure_after_birth(body.joined_on.year, body.birth_date)
    assert branch.province_id is not None  # noqa: S101  # every branch is in a province
    now = utc_now()
    member = Member(
        **body.model_dump(exclude={"id"}),
        province_id=branch.province_id,
        commune_id=branch.commune_id,
        sort_key=sort_key(body.full_name),
        search_key=search_key(body.full_name),
        birth_year=int(body.birth_date[:4]),
        created_at=now,
        updated_at=now,
    )
    if body.id is not None:
        member.id = body.id
    if body.id is None:
        session.add(member)
        session.flush()
        return member, True
    try:
        with session.begin_nested():
            session.add(member)
    except IntegrityError as error:
        # The same request, sent twice at once: the other one has just been committed.
        if constraint_name(error) != "pk_member":
            raise
        winner = _sent_before(session, actor, body)
        if winner is None:
            raise Problem("id_taken") from error
        return winner, False
    return member, True


def _sent_before(session: Session, actor: Actor, body: MemberCreate) -> Member | None:
    """The member this body has made already; `id_taken` when she is, or became, another.

    Fields the actor may not see do not count: comparing them would tell what they hold.
    """
    existing = session.get(Member, body.id)
    if existing is None:
        return None
    if not actor.covers(Right.members_write, existing):
        raise Problem("id_taken")
    hidden = {name for name, right in MASKS.items() if not actor.covers(right, existing)}
    sent = body.model_dump(exclude={"id"} | hidden)
    if any(getattr(existing, name) != value for name, value in sent.items()):
        raise Problem("id_taken")
    return existing


def _ensure_after_birth(joined_year: int, birth_date: str) -> None:
    if joined_year < int(birth_date[:4]):
        raise invalid("joined_before_birth", "/joined_on")


def update(
    session: Session, actor: Actor, member_id: UUID, body: MemberUpdate, expected: int | None
) -> dict[str, Any]:
    """Correct a member's record. A field the actor may not see she may not overwrite either."""
    row = session.connection().execute(_LOCKED, {"member_id": member_id}).one_or_none()
    if row is None:
        require_somewhere(session, actor, Right.members_read)
        raise not_found()
    ensure(session, actor, Right.members_write, row, seen_with=Right.members_read)
    ensure_revision(row.revision, expected)
    changed = body.model_dump(exclude_unset=True)
    for name in changed:
        if name in MASKS:
            ensure(session, actor, MASKS[name], row, seen_with=Right.members_read)
    old = row._asdict()
    now = old | changed
    if "full_name" in changed:
        changed["sort_key"] = sort_key(now["full_name"])
        changed["search_key"] = search_key(now["full_name"])
    if "birth_date" in changed:
        changed["birth_year"] = int(now["birth_date"][:4])
    if now["joined_on"] is not None and changed.keys() & {"birth_date", "joined_on"}:
        _ensure_after_birth(now["joined_on"].year, now["birth_date"])
    return _read(actor, row, changes.revise(session, Member, old, changed))


_LOCKED = (
    sa.select(*(getattr(Member, name) for name in Member.model_fields))
    .where(col(Member.id) == sa.bindparam("member_id"))
    .with_for_update()
)


def read(actor: Actor, member: Member) -> dict[str, Any]:
    """A member just admitted, as her reader sees her."""
    return _read(actor, member, {name: getattr(member, name) for name in _SHOWN})


def _read(actor: Actor, place: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    masked = _masked(actor, place)
    shown = {name: values[name] for name in _SHOWN}
    return shown | dict.fromkeys(masked) | {"masked": masked}
