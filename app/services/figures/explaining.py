"""Why a figure is what it is: its rule, its parts, the rows behind it, and what counts nowhere."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlmodel import col

from app.db import AnySelect, on_sqlite
from app.errors import not_found
from app.models.figures.figures import ExplainFigureQuery
from app.models.kernel.access import Right
from app.models.kernel.units import Unit, UnitRef
from app.models.members.members import Member
from app.services.figures import definitions, moments, periods, reading
from app.services.figures.counting import differing
from app.services.figures.definitions import Figure
from app.services.figures.moments import Moment
from app.services.figures.periods import Days
from app.services.figures.places import Parts, places
from app.services.figures.reading import number
from app.services.figures.rows import chosen, rows_of
from app.services.kernel.access import Actor, Db
from app.services.kernel.keyset import Order, Pages, in_memory, pages
from app.services.kernel.offers import FigureRows
from app.services.kernel.shown import noted_as
from app.services.units.hierarchy import placed
from app.statements import one_of_ids


def explain(
    db: Connection, actor: Actor, code: str, query: ExplainFigureQuery, *, as_file: bool
) -> tuple[Pages, dict[str, Any]]:
    """The rows behind a figure, and what stands beside them on a page; 404 where there is none of
    this code. A file leaves out restricted records."""
    unit = reading.access(db, actor, query.unit)
    days = periods.read(query.period, query.hierarchy)
    known = definitions.on(days.last)
    if code not in known:
        raise not_found()
    # Its rows are records: a role over a unit that has closed reads none.
    reading.ensure(db, actor, unit, known, code, date.max)
    reading.ensure_tree(db, actor, unit, days, [code])
    figure = known[code]
    masked = sorted(right for right in figure.masks if not actor.covers(right, unit))
    with moments.one(db) as moment:
        beside = _beside(moment, actor, unit, days, figure)
        rows = in_memory(()) if masked else _rows(moment, unit, days, figure, as_file=as_file)
    return rows, beside | {"masked": masked}


def _beside(moment: Moment, actor: Actor, unit: Unit, days: Days, figure: Figure) -> dict[str, Any]:
    code, told = figure.code, figure.told
    [total] = reading.whole(moment, actor, unit, [days], [code])
    units, below = reading.split(moment, actor, unit, days, [code])
    own, overlap = reading.rest(total, below, unit, units, code)
    shown = total.shown[unit.id, code]
    return {
        "watermark": moment.watermark,
        "indicator": code,
        "version": told.version,
        "name_vi": told.name.vi,
        "name_en": told.name.en,
        "rule_vi": told.rule.vi,
        "rule_en": told.rule.en,
        "unit": UnitRef.model_validate(unit).model_dump(),
        "first_day": days.first,
        "last_day": days.last,
        "measured_in": told.unit,
        "kind": told.kind,
        "formula": told.formula,
        "value": number(shown.value),
        "terms": total.terms(unit.id, code),
        "children": [
            {"unit": each.model_dump(), "value": number(below.value(each.id, code))}
            for each in units
        ],
        "own": number(own),
        "overlap": number(overlap),
        "excluded": _excluded(moment.db, unit, days, figure.rows),
        "rounded": shown.rounded,
        "withheld": shown.withheld,
    }


def _excluded(db: Db, unit: Unit, days: Days, source: FigureRows | None) -> list[dict[str, Any]]:
    if source is None or source.excluded is None:
        return []
    table = placed([unit.id], days.tree)
    rows = source.excluded(days.first, days.last).subquery("left_out")
    reason = rows.c.reason
    found = db.execute(
        sa.select(reason, sa.func.count())
        .select_from(rows.join(table, table.c.id == rows.c.unit_id))
        .group_by(reason)
        .order_by(reason)
    )
    return [{"reason": name, "rows": rows_} for name, rows_ in found]


# -- rows


def _rows(moment: Moment, unit: Unit, days: Days, figure: Figure, *, as_file: bool) -> Pages:
    source = figure.rows
    if source is None:
        return in_memory(())
    reveals = _reveals(source, figure)

    def shown(_: Db, rows: Sequence[Any]) -> list[dict[str, Any]]:
        return [
            {
                "unit_id": row.unit_id,
                "entity": source.entity,
                "entity_id": str(row.key),
                "title": row.title,
                "day": row.day,
                "amount": row.amount,
                "reveals": reveals,
            }
            for row in rows
        ]

    statement = _statement(moment, unit, days, figure, source)
    if as_file and source.entity == "member":
        restricted = sa.select(col(Member.id)).where(col(Member.restricted))
        statement = statement.where(statement.selected_columns["key"].not_in(restricted))
    return pages(statement, Order(*statement.selected_columns["key", "row_id"]), shown)


def _statement(
    moment: Moment, unit: Unit, days: Days, figure: Figure, source: FigureRows
) -> AnySelect:
    db, place = moment.db, places(moment, Parts(unit), [days])
    rows = rows_of(source, place)
    which = chosen(figure.told, rows, place)
    gone: list[UUID] = []
    came: list[UUID] = []
    for each in differing(db, source, [figure], place, [days]):
        (came if each.sign > 0 else gone).append(each.key)
    if gone:
        which = sa.and_(which, sa.not_(one_of_ids(rows.c.key, gone, sqlite=on_sqlite(db))))
    if came:
        which = sa.or_(which, one_of_ids(rows.c.key, came, sqlite=on_sqlite(db)))
    amount = sa.null() if figure.told.amount is None else rows.c[figure.told.amount]
    return (
        sa.select(
            rows.c.unit_id,
            rows.c.key,
            rows.c.row_id,
            rows.c.day,
            rows.c.title,
            amount.label("amount"),
        )
        .select_from(place.stand_at(rows))
        .where(which)
    )


def _reveals(source: FigureRows, figure: Figure) -> list[str]:
    """What the access log calls that which a row reveals."""
    told: list[tuple[Right, str]] = [
        (source.masks[column], column) for column in figure.told.where if column in source.masks
    ]
    if source.reveals is not None:
        told.append((source.reveals, source.name))
    names = (noted_as(right, column) for right, column in told)
    return sorted({name for name in names if name is not None})
