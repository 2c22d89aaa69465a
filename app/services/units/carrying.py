"""What every change of the tree does with units: it holds them, and has what is in them follow."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import date

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.db import chunks
from app.models.kernel.units import Unit
from app.services.units import followers
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
