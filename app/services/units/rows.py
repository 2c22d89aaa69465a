"""Units by their ids, for facts that name them: as they are, or held until the commit.

Nothing is checked here: who may name a unit is asked in `units`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, col, select

from app.db import on_sqlite
from app.errors import Problem
from app.models.kernel.units import Unit
from app.services.kernel.access import Db

# Seconds.
_LONGEST_ASKING: Final = 2.0
_ASKS_EVERY: Final = 0.05
_RETRY_AFTER: Final = 5
_LOCK_NOT_AVAILABLE: Final = "55P03"  # an error code of PostgreSQL
_COLUMNS = [getattr(Unit, name) for name in Unit.model_fields]


def find(db: Db, unit_id: int) -> Unit | None:
    if isinstance(db, Session):
        return db.get(Unit, unit_id)
    row = db.execute(sa.select(*_COLUMNS).where(col(Unit.id) == unit_id)).one_or_none()
    return None if row is None else Unit(**row._mapping)


def unit_of(db: Db, unit_id: int) -> Unit:
    """The unit that a row names: a foreign key guarantees that it exists."""
    unit = find(db, unit_id)
    assert unit is not None  # noqa: S101  # as the foreign key says
    return unit


def find_many(db: Db, unit_ids: Iterable[int]) -> Sequence[Unit]:
    """Those of these ids that exist."""
    among = col(Unit.id).in_(list(unit_ids))
    if isinstance(db, Session):
        return db.exec(select(Unit).where(among)).all()
    return [Unit(**row._mapping) for row in db.execute(sa.select(*_COLUMNS).where(among))]


@contextmanager
def locked_is_409() -> Iterator[None]:
    """Locks units in it, or rows that go with them; 409 where somebody reorganises them and is not done
    before the connection gives the lock up (`engines.REQUEST_LOCK_SECONDS`).

    On SQLite a writer has its turn: what one does in it is bounded (`reorganisation_most_members`).
    """
    try:
        yield
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
            raise
        raise being_reorganised() from error


def being_reorganised() -> Problem:
    """Somebody reorganises a unit: the same again in some seconds finds the new units."""
    return Problem("unit_being_reorganised", retry_after=_RETRY_AFTER)


def hold(session: Session, among: sa.ColumnElement[bool]) -> Sequence[Unit]:
    """Units that are neither closed nor moved before the commit, as they are once they are held.

    Locks are taken in one order by every writer, so that there is no deadlock: units by their id,
    the person, her account, her posts, grants.
    """
    statement = select(Unit).where(among).order_by(col(Unit.id)).with_for_update(read=True)
    with locked_is_409():
        return session.exec(statement, execution_options={"populate_existing": True}).all()


def hold_units(session: Session, unit_ids: Iterable[int]) -> Sequence[Unit]:
    """The same, of these ids."""
    return hold(session, col(Unit.id).in_(list(unit_ids)))


def hold_by_asking(session: Session, among: sa.ColumnElement[bool]) -> None:
    """As `hold`, for who holds other rows already. To wait in the queue for a lock could be a deadlock, and
    PostgreSQL might end the reorganisation for it; so it takes those that are free, and asks for the
    others again for as long as most reorganisations take."""
    if on_sqlite(session):
        return
    units = sa.select(col(Unit.id)).where(among)
    free = units.order_by(col(Unit.id)).with_for_update(read=True, skip_locked=True)
    others = units.where(col(Unit.id).not_in(sa.select(free.cte("free").c.id)))
    any_other = sa.select(sa.exists(others))
    until = monotonic() + _LONGEST_ASKING
    while session.connection().execute(any_other).scalar_one():
        if monotonic() >= until:
            raise being_reorganised()
        sleep(_ASKS_EVERY)


def hold_alone(session: Session, unit_id: int) -> Unit:
    """A unit that others name while this is written, but nobody holds alone."""
    with locked_is_409():
        return session.get_one(Unit, unit_id, with_for_update={"key_share": True})


def enter_contacts(unit: Unit, values: Mapping[str, Any]) -> None:
    """How the unit is reached is not dated: the new values hold at once."""
    for name, value in values.items():
        setattr(unit, name, value)
