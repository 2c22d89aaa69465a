"""The page of a unit: figures that are put on it by their definitions (`pages`)."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from dateutil.relativedelta import relativedelta
from sqlalchemy.engine import Connection

from app.clock import local_today
from app.errors import invalid, not_found
from app.models.figures.checks import CheckResult
from app.models.figures.definitions import FigureDefinition, FigurePlace
from app.models.figures.figures import FigureBy
from app.models.figures.overview import Overview
from app.models.kernel.access import Right
from app.models.kernel.hierarchy import InHierarchy
from app.models.kernel.units import LEVELS_BUT_GROUP, Unit, UnitLevel, UnitRef
from app.services.figures import checks, definitions, moments, periods, reading
from app.services.figures.definitions import Figure
from app.services.figures.moments import Moment
from app.services.figures.periods import Days
from app.services.figures.reading import PartFigures, PeriodCodes, number
from app.services.kernel.access import Actor, Db, require_somewhere
from app.services.units import hierarchy
from app.services.units.units import find_visible

_MONTHS_BEFORE = 11


def overview(db: Connection, actor: Actor, unit_id: int, query: InHierarchy) -> Overview:
    """All of one moment; 404 where the unit is out of scope."""
    unit = _access(db, actor, unit_id)
    today = local_today()
    year = Days(_first_month(today), today, hierarchy.chosen(query.hierarchy))
    known = definitions.on(today)
    placed = {code: figure for code, figure in known.items() if figure.told.pages}
    left_out = [code for code in placed if reading.lacks(actor, unit, known, code, today)]
    *before, month = periods.parts(year, FigureBy.month)
    asked, _ = checks.by_right(actor, unit, month)
    on = {place: _on(placed, place, left_out) for place in FigurePlace}
    now = [*on[FigurePlace.stock], *on[FigurePlace.attention], *checks.names(asked)]
    trends = on[FigurePlace.trend]
    reading.ensure_tree(db, actor, unit, month, [*now, *trends])
    with moments.one(db) as moment:
        eve, *months, total = reading.together(
            moment,
            actor,
            unit,
            [
                checks.before(month, asked),
                *(PeriodCodes(days, trends) for days in before),
                PeriodCodes(month, [*now, *trends]),
            ],
        )
        return Overview.model_validate(
            {
                "unit": UnitRef.model_validate(unit),
                "as_of": today,
                "watermark": moment.watermark,
                "stocks": [_figure(total, unit, code) for code in on[FigurePlace.stock]],
                "trends": _trends(unit, [*months, total], trends),
                "children": _children(
                    moment, actor, unit, month._replace(first=today), on[FigurePlace.child]
                ),
                "attention": [_figure(total, unit, code) for code in on[FigurePlace.attention]],
                "failed_checks": [
                    each.failed()
                    for each in checks.checked(unit, total, eve, asked)
                    if each.result is CheckResult.fails
                ],
                "left_out": left_out,
            }
        )


def _first_month(today: date) -> date:
    return today.replace(day=1) - relativedelta(months=_MONTHS_BEFORE)


def _access(db: Db, actor: Actor, unit_id: int) -> Unit:
    unit = find_visible(db, actor, unit_id)
    if unit is None:
        require_somewhere(db, actor, Right.units_read)
        raise not_found()
    if unit.level is UnitLevel.group:
        raise invalid("unit_level_wrong", "/unit_id", place="path", expected=LEVELS_BUT_GROUP)
    return unit


def _on(figures: Mapping[str, Figure], place: FigurePlace, left_out: Sequence[str]) -> list[str]:
    return [
        code
        for code, figure in figures.items()
        if place in figure.told.pages and code not in left_out
    ]


def _told(told: FigureDefinition) -> dict[str, Any]:
    return {
        "indicator": told.code,
        "version": told.version,
        "name_vi": told.name.vi,
        "name_en": told.name.en,
        "measured_in": told.unit,
    }


def _figure(total: PartFigures, unit: Unit, code: str) -> dict[str, Any]:
    shown = total.shown[unit.id, code]
    return _told(total.figures[code].told) | {
        "value": number(shown.value),
        "rounded": shown.rounded,
        "withheld": shown.withheld,
    }


def _trends(
    unit: Unit, months: Sequence[PartFigures], codes: Sequence[str]
) -> list[dict[str, Any]]:
    return [
        _told(months[-1].figures[code].told)
        | {
            "kind": months[-1].figures[code].told.kind,
            "points": [
                {
                    "first_day": month.days.first,
                    "last_day": month.days.last,
                    "value": number(month.value(unit.id, code)),
                }
                for month in months
                if code in month.figures
            ],
        }
        for code in codes
    ]


def _children(
    moment: Moment, actor: Actor, unit: Unit, day: Days, codes: Sequence[str]
) -> list[dict[str, Any]]:
    """By the first of the figures, the largest first."""
    if unit.level is UnitLevel.branch:
        return []
    units, below = reading.split(moment, actor, unit, day, codes)

    def place(each: UnitRef) -> Decimal:
        found = below.value(each.id, codes[0]) if codes else None
        return Decimal(0) if found is None else -found

    return [
        {
            "unit": each,
            "figures": [
                {"indicator": code, "value": number(below.value(each.id, code))} for code in codes
            ],
        }
        for each in sorted(units, key=place)
    ]
