"""What every change of the tree does with units: it holds them, and has what is in them follow."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import date

import sqlalchemy as sa
from sqlmodel import Session, SQLModel, col, select

from app.db import chunks
from app.models.base import table_of
from app.models.kernel.units import Unit
from app.services.kernel import provinces
from app.services.units import followers
from app.services.units.followers import Columns
from app.services.units.tree import Path


def hold_for_change(session: Session, unit_ids: Collection[int]) -> dict[int, Unit]:
    """These units: nobody else changes them or puts something into them until the commit."""
    found: dict[int, Unit] = {}
    for chunk in chunks(sorted(unit_ids)):
        statement = (
            select(Unit)
            .where(col(Unit.id).in_(chunk))
            .order_by(col(Unit.id))
            .with_for_update(key_share=True)
        )
        found |= {unit.id: unit for unit in session.exec(statement).all()}
    return found


@contextmanager
def telling(session: Session, progress: Callable[[int, int], None]) -> Iterator[None]:
    """How far it is: so many units of so many are elsewhere."""
    session.info["carried"] = progress
    try:
        yield
    finally:
        del session.info["carried"]


# So many units at a time bring some ten thousand people.
_TOGETHER = 100


def carry(
    session: Session, paths: Mapping[int, Path], logged: Collection[int], since: date
) -> None:
    """The new paths, one UPDATE for all units that go the same way, and what is in them."""
    together: dict[tuple[tuple[str, int | None], ...], list[int]] = defaultdict(list)
    alike: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for unit_id, path in paths.items():
        together[tuple(path.items())].append(unit_id)
        alike[tuple(path)].append(unit_id)
    tell: Callable[[int, int], None] | None = session.info.get("carried")
    done = 0
    for items, unit_ids in together.items():
        columns = dict(items)
        for chunk in chunks(unit_ids, _TOGETHER):
            rest = [unit_id for unit_id in chunk if unit_id not in logged]
            session.connection().execute(
                sa.update(Unit).where(col(Unit.id).in_(rest)).values(**columns)
            )
            followers.apply(session, chunk, columns)
            done += len(chunk)
            if tell is not None:
                tell(done, len(paths))
    for names, unit_ids in alike.items():
        for chunk in chunks(unit_ids):
            followers.stood(session, chunk, names, since)


def carry_records(
    session: Session, model: type[SQLModel], branch_ids: Collection[int], above: Columns
) -> None:
    """Members or households stand where their branches do, in one UPDATE, and so does what hangs on them.

    It is no change of a record: the log has that of the unit, and revisions stay (docs/decisions/0036).
    """
    record = table_of(model).c
    differs = (record[name].is_distinct_from(value) for name, value in above.items())
    going = sa.and_(record.branch_id.in_(branch_ids), sa.or_(*differs))
    # In the order in which every writer locks them.
    held = sa.select(record.id).where(going).order_by(record.id).with_for_update()
    number = sa.select(sa.func.count()).select_from(held.subquery())
    if not session.execute(number).scalar_one():
        return
    session.execute(
        sa.update(model).where(going).values(**above),
        execution_options={"synchronize_session": False},
    )
    province_id = above.get("province_id")
    if province_id is not None:
        provinces.follow_branches(session, model, branch_ids, province_id)
