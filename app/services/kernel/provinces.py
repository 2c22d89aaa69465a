"""The province of rows that hang on a member or a household: always that of the record.

What stands in a place of its own (`commune_id`, `branch_id`) says by itself where, and its package moves
it. All other rows about people name the province alone: the database of a nation can be divided by it
(docs/decisions/0045).
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, SQLModel

from app.db import chunks
from app.models.base import table_of
from app.services.kernel.manifest import Manifest, manifest

Table = type[SQLModel]
# A row of a household is the household's, whoever else it names.
_OWNERS = ("household", "member")
_OWN_PLACE = frozenset({"commune_id", "branch_id"})
# Branches by whose records stand there, and the province that they are in.
_Waiting = defaultdict[tuple[Table, int], set[int]]
_WAITING = "following_together"
_LATER = "following_later"


def owned_by_people(known: Manifest) -> set[Table]:
    """The tables with rows about members and households."""
    held = {each.model for each in known.holdings if not each.of_account}
    pointing = {each.model for each in known.pointers}
    return held | pointing | {model for model in known.owners if _hangs_on(model) is not None}


def hanging(known: Manifest) -> Iterator[tuple[Table, str]]:
    """The tables whose rows take the province of a record, with the record: "member"."""
    for model in owned_by_people(known):
        columns = set(table_of(model).columns.keys())
        owner = _hangs_on(model)
        if owner is not None and "province_id" in columns and not _OWN_PLACE & columns:
            yield model, owner


def _hangs_on(model: Table) -> str | None:
    keys = {(key.parent.name, key.target_fullname) for key in table_of(model).foreign_keys}
    return next((each for each in _OWNERS if (f"{each}_id", f"{each}.id") in keys), None)


def follow(session: Session, owner: Table, which: sa.ColumnElement[bool], province_id: int) -> None:
    """These members or households are in this province now: what hangs on them is there too."""
    records = sa.select(table_of(owner).c.id).where(which)
    for model, name in hanging(manifest()):
        if name != owner.__tablename__:
            continue
        rows = table_of(model)
        session.connection().execute(
            sa.update(rows)
            .where(
                rows.c[f"{name}_id"].in_(records),
                rows.c.province_id.is_distinct_from(province_id),
            )
            .values(province_id=province_id)
        )


def follow_moved(
    session: Session,
    owner: Table,
    branch_ids: Collection[int],
    moved: Iterable[Mapping[str, Any]],
    province_id: int,
) -> None:
    """As `follow`, of records that have moved, given as they were, and stand in these branches now:
    where one came from elsewhere. Also within a province, if from another branch: its rows may be
    behind there (`following_later`)."""
    stayed = {(province_id, branch_id) for branch_id in branch_ids}
    if any((row["province_id"], row["branch_id"]) not in stayed for row in moved):
        follow_branches(session, owner, branch_ids, province_id)


def follow_branches(
    session: Session, owner: Table, branch_ids: Collection[int], province_id: int
) -> None:
    """As `follow`, of the records that stand in these branches: at once, together or later."""
    later: set[int] | None = session.info.get(_LATER)
    waiting: _Waiting | None = session.info.get(_WAITING)
    if later is not None:
        later.update(branch_ids)
    elif waiting is None:
        _follow_in(session, owner, branch_ids, province_id)
    else:
        waiting[owner, province_id].update(branch_ids)


@contextmanager
def following_together(session: Session) -> Iterator[None]:
    """What has moved in it is followed at its end, all branches at once: a statement for each of them
    would read the whole of a large table each time."""
    waiting: _Waiting = defaultdict(set)
    session.info[_WAITING] = waiting
    try:
        yield
    finally:
        del session.info[_WAITING]
    for (owner, province_id), branch_ids in waiting.items():
        _follow_in(session, owner, branch_ids, province_id)


@contextmanager
def following_later(session: Session) -> Iterator[set[int]]:
    """What has moved in it is not followed: these branches are to catch up after the commit. No reader
    asks for the province of rows that hang on a record."""
    session.info[_LATER] = branch_ids = set[int]()
    try:
        yield branch_ids
    finally:
        del session.info[_LATER]


def catch_up(session: Session, branch_ids: Collection[int]) -> None:
    """What hangs on the records that stand in these branches is in their province. The caller holds the
    branches, so that no record goes elsewhere meanwhile."""
    for model, owner in hanging(manifest()):
        rows, record = table_of(model), SQLModel.metadata.tables[owner]
        session.connection().execute(
            sa.update(rows)
            .where(
                rows.c[f"{owner}_id"] == record.c.id,
                record.c.branch_id.in_(branch_ids),
                rows.c.province_id.is_distinct_from(record.c.province_id),
            )
            .values(province_id=record.c.province_id)
        )


def _follow_in(
    session: Session, owner: Table, branch_ids: Collection[int], province_id: int
) -> None:
    branch_id = table_of(owner).c.branch_id
    for chunk in chunks(sorted(branch_ids)):
        follow(session, owner, branch_id.in_(chunk), province_id)
