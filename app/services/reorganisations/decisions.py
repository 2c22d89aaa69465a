"""What is left to decide once a reorganisation is done: posts that nobody holds, names that stand twice."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import col

from app.clock import local_today
from app.db import AnySelect
from app.models.kernel.access import Right
from app.models.kernel.units import Unit
from app.models.reorganisations.reorganisations import ReorganisedUnit
from app.problem_texts import Language
from app.services.cadres.lists import vacant_on
from app.services.kernel.access import Actor, Db
from app.services.kernel.tracking import PATH

Texts = Mapping[Language, str]
_COLUMNS: Sequence[Any] = (
    col(ReorganisedUnit.reorganisation_id),
    col(Unit.id),
    col(Unit.level),
    *(getattr(Unit, name) for name in PATH),
)


def to_decide(db: Db, actor: Actor, ids: Sequence[UUID]) -> Mapping[UUID, Texts]:
    """By reorganisation, what the reader may and has to decide in the units it was about."""
    posts = _counted(db, actor, Right.appointments_write, _vacancies().where(_of(ids)))
    names = _counted(db, actor, Right.units_write, _namesakes().where(_of(ids)))
    return {each: _texts(posts[each], names[each]) for each in ids if posts[each] or names[each]}


def _of(ids: Sequence[UUID]) -> sa.ColumnElement[bool]:
    return sa.and_(col(ReorganisedUnit.reorganisation_id).in_(ids), col(Unit.closed_on).is_(None))


def _counted(db: Db, actor: Actor, right: Right, found: AnySelect) -> Counter[UUID]:
    return Counter(row.reorganisation_id for row in db.execute(found) if actor.covers(right, row))


def _vacancies() -> AnySelect:
    """A row for each post that nobody holds."""
    of_unit = col(ReorganisedUnit.unit_id) == col(Unit.id)
    return vacant_on(local_today(), *_COLUMNS).join(ReorganisedUnit, of_unit)


def _namesakes() -> AnySelect:
    """A row for each unit beside which another has the same name."""
    other = aliased(Unit)
    same = sa.exists().where(
        col(other.parent_id) == col(Unit.parent_id),
        col(other.name_key) == col(Unit.name_key),
        col(other.id) != col(Unit.id),
        col(other.closed_on).is_(None),
    )
    return (
        sa.select(*_COLUMNS)
        .join(ReorganisedUnit, col(ReorganisedUnit.unit_id) == col(Unit.id))
        .where(same)
    )


def _texts(posts: int, names: int) -> Texts:
    parts: list[tuple[str, str]] = []
    if posts:
        parts.append((f"cử người vào {posts} chức vụ còn trống", f"fill {posts} vacant post(s)"))
    if names:
        parts.append(
            (f"đặt lại tên cho {names} đơn vị trùng tên", f"rename {names} unit(s) of one name")
        )
    vi, en = ("; ".join(each) for each in zip(*parts, strict=True))
    return {"vi": f"Việc cần quyết định: {vi}.", "en": f"To decide: {en}."}
