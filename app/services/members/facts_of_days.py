"""Facts that keep the place of their day (`OfDay` in the manifest), where a reorganisation says that their
member or household stood elsewhere on that day.

They are found by the manifest, so no capability follows units for them.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from functools import partial

import sqlalchemy as sa
from sqlmodel import Session, SQLModel

from app.clock import start_of, utc_now
from app.models.base import table_of
from app.models.kernel.units import Unit
from app.services.figures import stale
from app.services.kernel import changes
from app.services.kernel.manifest import manifest, tracked_of
from app.services.kernel.tracking import Row
from app.services.kernel.unit_ends import OfDay
from app.services.units.followers import Handover
from app.services.units.in_tree import StaysOf
from app.services.units.rows import unit_of

ABOVE = ("province_id", "district_id", "commune_id")
_STAY = ("branch_id", "valid_from", "valid_to")


def stand(session: Session, branch_ids: Sequence[int], above: Sequence[str], since: date) -> None:
    """Branches have stood elsewhere from a past day on: so have the facts of the days since then.
    `above`: what of their path is another."""
    branch = table_of(Unit)
    for model, of_day in _facts():
        table = table_of(model)
        values = {name: branch.c[name] for name in above if name in table.c}
        if values:
            session.connection().execute(
                sa.update(table)
                .where(
                    table.c.branch_id == branch.c.id,
                    branch.c.id.in_(branch_ids),
                    _since(table, of_day, since),
                )
                .values(**values)
            )


def follow(session: Session, handover: Handover, stays: StaysOf) -> None:
    """Members or households have been in another branch from a past day on, or never were: their facts
    of the days since then are where they were. `stays` says where that was, and is written already."""
    for model, of_day in _facts():
        table = table_of(model)
        if stays.whose.key in table.c:
            pairs = _elsewhere(session, table, of_day, handover, stays)
            if pairs:
                write = of_day.write or partial(_write, model=model)
                write(session, pairs)
                branches = {row["branch_id"] for pair in pairs for row in pair}
                stale.mark(session, tracked_of(model).entity, branches)


def _facts() -> Iterator[tuple[type[SQLModel], OfDay]]:
    for model, end in manifest().unit_ends.items():
        if isinstance(end, OfDay):
            yield model, end


def _since(table: sa.Table, of_day: OfDay, day: date) -> sa.ColumnElement[bool]:
    columns = (table.c[name] for name in of_day.days)
    return sa.or_(
        *(each >= (day if isinstance(each.type, sa.Date) else start_of(day)) for each in columns)
    )


def _elsewhere(
    session: Session, table: sa.Table, of_day: OfDay, handover: Handover, stays: StaysOf
) -> list[tuple[Row, Row]]:
    """The facts that are not where their member or household was on their day, each as it is and as it
    is to be; locked."""
    branches, stay = [*handover.from_ids, handover.to_id], table_of(stays.model)
    rows = session.connection().execute(
        sa.select(table, *(stay.c[name].label(f"stay_{name}") for name in _STAY))
        .join(stay, stay.c[stays.whose.key] == table.c[stays.whose.key])
        .where(
            table.c.branch_id.in_(branches),
            stay.c.branch_id.in_(branches),
            stay.c.branch_id != table.c.branch_id,
            _since(table, of_day, handover.since),
            *stays.counts,
        )
        .order_by(*table.primary_key)
        .with_for_update(of=table)
    )
    found = [row._asdict() for row in rows]
    moved = [
        row
        for row in found
        if row["stay_valid_from"] <= of_day.day_of(row) <= (row["stay_valid_to"] or date.max)
    ]
    ids = {row["stay_branch_id"] for row in moved}
    places = {branch_id: _place(session, branch_id, table) for branch_id in ids}
    old = [{column.name: row[column.name] for column in table.c} for row in moved]
    return [(was, was | places[row["stay_branch_id"]]) for was, row in zip(old, moved, strict=True)]


def _place(session: Session, branch_id: int, table: sa.Table) -> dict[str, int | None]:
    branch = unit_of(session, branch_id)
    return {name: getattr(branch, name) for name in (*ABOVE, "branch_id") if name in table.c}


def _write(session: Session, pairs: Sequence[tuple[Row, Row]], model: type[SQLModel]) -> None:
    now = utc_now()
    written = [
        (old, {**new, "revision": old["revision"] + 1, "updated_at": now}) for old, new in pairs
    ]
    columns = set(table_of(model).c.keys())
    names = frozenset({*ABOVE, "branch_id", "revision", "updated_at"} & columns)
    values = [
        {"row_id": row["id"]} | {f"new_{name}": row[name] for name in names} for _, row in written
    ]
    changes.update_many(session, model, names, values)
    changes.record_updated(session, model, written)
