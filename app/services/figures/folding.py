"""What is rolled up, and by which counting: the fold that servers do, and the check of the operator."""

from collections.abc import Sequence
from datetime import date
from functools import partial

import sqlalchemy as sa
from sqlmodel import Session, col

from app.db import AnySelect, Database
from app.models.kernel.units import Unit
from app.services.figures import counting, definitions, rollups
from app.services.figures.periods import Days
from app.services.figures.rollups import Counting, Wrong
from app.services.kernel.access import Db
from app.services.kernel.manifest import manifest


def fold(database: Database) -> int:
    """See `rollups.fold`."""
    return rollups.fold(database, _countings())


def check(session: Session, *, repair: bool) -> list[Wrong]:
    """See `rollups.check`."""
    return rollups.check(session, _countings(), repair=repair)


def _countings() -> list[Counting]:
    return [
        Counting(f"{capability}.{rows.name}", rows, partial(_count, f"{capability}.{rows.name}"))
        for capability, offered in manifest().figures.items()
        for rows in offered
        if rows.rolled_up is not None
    ]


def _count(name: str, db: Db, branches: Sequence[int], day: date) -> dict[int, dict[str, int]]:
    """The figures of the day of each branch."""
    known = definitions.on(day).values()
    figures = [each for each in known if each.rows is not None and each.rows_name == name]
    apart: AnySelect = sa.select(col(Unit.id).label("id"), col(Unit.id).label("part_id"))
    parts = apart.where(col(Unit.id).in_(branches)).cte("parts")
    cells = counting.live(db, figures, parts, branches, Days(day, day))
    return {
        branch: {each.key: int(cells[branch, each.code] or 0) for each in figures}
        for branch in branches
    }
