"""Rows under an id that the client chose: the same request sent again creates no second row.

The database decides what is unique. A constraint that refuses a row is answered with its problem.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Protocol, TypeVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, SQLModel

from app.db import constraint_name
from app.errors import Problem


class _HasId(Protocol):
    id: UUID


T = TypeVar("T", bound=_HasId)
# The name of a constraint, and what to answer when it refuses a row.
Taken = Mapping[str, Problem]


def created_once(
    session: Session,
    model: type[T],
    given_id: UUID | None,
    make: Callable[[], T],
    *,
    same: Callable[[T], bool],
    taken: Taken | None = None,
) -> tuple[T, bool]:
    """The row, and whether it is new.

    A row that has the given id already is returned if it is the `same`; if not, this is 409
    `id_taken`. When there is none, `make` checks the request and returns the row to insert. Two
    equal requests may run `make` at the same time: it writes nothing, unless a lock makes the second
    one wait before it comes here.
    """
    if (found := sent_before(session, model, given_id, same)) is not None:
        return found, False
    row = make()
    problems = dict(taken or {})
    if given_id is not None:
        row.id = given_id
        problems[_primary_key(model)] = Problem("id_taken")
    refused = refused_by(session, [row], problems)
    if refused is None:
        return row, True
    # Another request was faster: the same one, or one that took something else that is unique.
    if (found := sent_before(session, model, given_id, same)) is not None:
        return found, False
    raise problems[refused]


def sent_before(
    session: Session, model: type[T], given_id: UUID | None, same: Callable[[T], bool]
) -> T | None:
    """The row that has the given id already; 409 `id_taken` if it is not the same."""
    found = None if given_id is None else session.get(model, given_id)
    if found is not None and not same(found):
        raise Problem("id_taken")
    return found


def holds(values: Mapping[str, Any]) -> Callable[[object], bool]:
    """A test whether a row has all of these values."""
    return lambda row: all(getattr(row, name) == value for name, value in values.items())


def insert(session: Session, rows: Iterable[SQLModel], taken: Taken) -> None:
    """Insert rows; a constraint that refuses one of them is answered with its problem."""
    refused = refused_by(session, rows, taken)
    if refused is not None:
        raise taken[refused]


def refused_by(
    session: Session, rows: Iterable[object], constraints: Collection[str]
) -> str | None:
    """Insert rows; the one of these constraints that refused them, or None.

    Refused, nothing of them is left and the transaction goes on.
    """
    if not constraints:
        session.add_all(rows)
        session.flush()
        return None
    try:
        with session.begin_nested():
            session.add_all(rows)
    except IntegrityError as error:
        name = constraint_name(error)
        if name not in constraints:
            raise
        return name
    return None


def _primary_key(model: type[Any]) -> str:
    table = sa.inspect(model).local_table
    return str(table.primary_key.name)
