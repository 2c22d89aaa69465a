"""The rows that are stored of figures: read, replaced and forgotten."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date

import sqlalchemy as sa
from sqlmodel import Session, col

from app.db import chunks, insert_many
from app.models.figures.rollups import FigureDay, FigureKept, FigureShared
from app.services.kernel.access import Db

# Of a day, some rows and units: the figures by their keys; what is zero is left out.
Place = tuple[date, str, int]
Stored = dict[Place, dict[str, int]]
_Key = tuple[date, str]


def kept_days(db: Db) -> dict[date, dict[str, list[str]]]:
    """Of each day the rows that are stored, with the keys of their figures."""
    found: dict[date, dict[str, list[str]]] = defaultdict(dict)
    columns = (col(FigureKept.day), col(FigureKept.rows), col(FigureKept.figures))
    for day, name, figures in db.execute(sa.select(*columns)):
        found[day][name] = figures
    return found


def still_kept(
    session: Session, name: str, keys: Sequence[str], days: Sequence[date]
) -> list[date]:
    """Those of these days of which the rows are stored with these figures."""
    of_rows = sa.select(col(FigureKept.day), col(FigureKept.figures)).where(
        col(FigureKept.rows) == name, col(FigureKept.day).in_(days)
    )
    kept = {day for day, figures in session.execute(of_rows) if figures == keys}
    return [day for day in days if day in kept]


def forget(session: Session, day: date, name: str | None) -> None:
    """What is stored of a day, or of these rows on it."""
    for model in (FigureDay, FigureShared, FigureKept):
        gone = sa.delete(model).where(col(model.day) == day)
        if name is not None:
            gone = gone.where(col(model.rows) == name)
        session.connection().execute(gone)


def read(
    db: Db,
    names: Sequence[str],
    days: Sequence[date],
    unit_ids: Sequence[int] | None,
    *,
    whole: bool,
) -> Stored:
    rows = sa.select(
        col(FigureDay.day), col(FigureDay.rows), col(FigureDay.unit_id), col(FigureDay.figures)
    ).where(
        col(FigureDay.rows).in_(names),
        col(FigureDay.day).in_(days),
        col(FigureDay.whole).is_(whole),
    )
    of_these: list[sa.ColumnElement[bool]] = [sa.true()]
    if unit_ids is not None:
        of_these = [col(FigureDay.unit_id).in_(chunk) for chunk in chunks(unit_ids)]
    return {
        (day, name, unit_id): figures
        for which in of_these
        for day, name, unit_id, figures in db.execute(rows.where(which))
    }


def replace(session: Session, stored: Mapping[Place, dict[str, int]], *, whole: bool) -> None:
    """What is empty is deleted."""
    by_day: dict[_Key, list[int]] = defaultdict(list)
    for day, name, unit_id in stored:
        by_day[day, name].append(unit_id)
    for (day, name), unit_ids in by_day.items():
        of_day = sa.delete(FigureDay).where(
            col(FigureDay.rows) == name, col(FigureDay.day) == day, col(FigureDay.whole).is_(whole)
        )
        for chunk in chunks(unit_ids):
            session.connection().execute(of_day.where(col(FigureDay.unit_id).in_(chunk)))
    insert(session, stored, whole=whole)


def insert(session: Session, stored: Mapping[Place, dict[str, int]], *, whole: bool) -> None:
    rows = [
        {"rows": name, "day": day, "whole": whole, "unit_id": unit_id, "figures": figures}
        for (day, name, unit_id), figures in stored.items()
        if figures
    ]
    insert_many(session, FigureDay, rows)
