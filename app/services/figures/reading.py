"""The figures of a unit: exact, in one moment of the database; rounded for who may not see whose they
are.

A figure of the unit is counted over all its rows and never added up from its parts: a person who
came in two branches is one person of the commune. What the parts have in common is the overlap.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

from sqlalchemy.engine import Connection

from app.clock import local_today
from app.db import vault_of
from app.errors import invalid
from app.models.figures.definitions import FigureDefinition
from app.models.figures.figures import FigureBy, FigureLine, FigureQuery
from app.models.kernel.access import Right
from app.models.kernel.units import LEVELS_BUT_GROUP, Unit, UnitLevel, UnitRef
from app.services.disclosure import rounding
from app.services.figures import definitions, moments, periods
from app.services.figures.counting import Cells, count
from app.services.figures.definitions import Figure
from app.services.figures.moments import Moment
from app.services.figures.periods import Days
from app.services.figures.places import OWN, Parts
from app.services.figures.rollups import Wanted
from app.services.kernel.access import Actor, Db, forbidden
from app.services.kernel.keyset import Pages, in_memory
from app.services.units import hierarchy
from app.services.units.rows import find
from app.services.units.units import find_filter


@dataclass(frozen=True, slots=True)
class FigureValue:
    """A figure as this actor gets it."""

    value: Decimal | None
    rounded: bool = False
    withheld: bool = False


@dataclass(slots=True)
class PartFigures:
    """Figures of the parts of a unit in a period, and which of them the actor gets rounded."""

    figures: Mapping[str, Figure]
    hidden: frozenset[str]
    days: Days
    shown: dict[tuple[int, str], FigureValue] = field(default_factory=dict)

    def value(self, part_id: int, code: str) -> Decimal | None:
        return self.shown[part_id, code].value

    def terms(self, part_id: int, code: str) -> list[dict[str, Any]]:
        """Of a formula, in the order of their codes."""
        formula = self.figures[code].formula
        names = sorted(formula.names) if formula is not None else []
        return [{"indicator": n, "value": number(self.value(part_id, n))} for n in names]


def list_figures(db: Connection, actor: Actor, query: FigureQuery) -> tuple[Pages, dict[str, Any]]:
    """The figures of a unit and of each part asked for, and what stands beside them on a page."""
    days = periods.read(query.period, query.hierarchy)
    unit = counted_unit(db, actor, query.unit, days.last)
    stretches = [] if query.by in (None, FigureBy.child) else periods.parts(days, query.by)
    codes, left_out = _asked(db, actor, unit, days, query.indicators)
    ensure_tree(db, actor, unit, days, codes)
    with moments.one(db) as moment:
        beside = {"watermark": moment.watermark, "left_out": left_out}
        if query.by is FigureBy.child:
            lines = _by_child(moment, actor, unit, days, codes)
        else:
            total, *periods_ = whole(moment, actor, unit, [days, *stretches], codes)
            lines = _of_total(unit, total, codes, FigureLine.total)
            for each in periods_:
                lines += _of_total(unit, each, codes, FigureLine.period)
    order = {code: place for place, code in enumerate(codes)}
    ordered = sorted(lines, key=lambda line: order[line["indicator"]])
    return in_memory(((place,), line) for place, line in enumerate(ordered)), beside


def access(db: Db, actor: Actor, unit_id: int) -> Unit:
    """422 where the unit is out of scope, or a group."""
    return _no_group(find_filter(db, actor, unit_id, pointer="/unit"))


def _no_group(unit: Unit) -> Unit:
    if unit.level is UnitLevel.group:
        raise invalid("unit_level_wrong", "/unit", place="query", expected=LEVELS_BUT_GROUP)
    return unit


def counted_unit(db: Db, actor: Actor, unit_id: int, last: date) -> Unit:
    """422 where the actor may not count in the unit up to that day, or it is a group."""
    unit = find(db, unit_id)
    if unit is None or not actor.counts(Right.units_read, unit, unit.closed_on or last):
        raise invalid("unit_unknown", "/unit", place="query")
    if not actor.counts(Right.units_read, unit, last):
        raise invalid("period_after_unit", "/period", place="query", last_day=unit.closed_on)
    return _no_group(unit)


def _asked(
    db: Db, actor: Actor, unit: Unit, days: Days, indicators: str | None
) -> tuple[list[str], list[str]]:
    """The codes asked for; and, where all are, those that the actor may not see here."""
    known = definitions.on(days.last)
    if indicators is None:
        lacking = {code: lacks(actor, unit, known, code, days.last) for code in known}
        return [c for c in known if not lacking[c]], [c for c in known if lacking[c]]
    codes = list(dict.fromkeys(filter(None, (each.strip() for each in indicators.split(",")))))
    if not codes or any(code not in known for code in codes):
        raise invalid("figure_unknown", "/indicators", place="query")
    for code in codes:
        ensure(db, actor, unit, known, code, days.last)
    return codes, []


def lacks(
    actor: Actor, unit: Unit, known: Mapping[str, Figure], code: str, last: date
) -> list[Right]:
    """The rights that the actor lacks to any figure of these rows in the unit, up to that day."""
    return [right for right in _rights(known, [code]) if not actor.counts(right, unit, last)]


def _rights(known: Mapping[str, Figure], codes: Iterable[str]) -> list[Right]:
    """The rights to the rows of these figures, and of those their formulas name."""
    rows = (each.rows for each in definitions.needed(known, codes).values())
    return sorted({each.right for each in rows if each is not None})


def ensure_tree(db: Db, actor: Actor, unit: Unit, days: Days, codes: Iterable[str]) -> None:
    """403 where an older tree has units in the unit that are not the actor's to count today."""
    for right in _rights(definitions.on(days.last), codes):
        hierarchy.ensure_held(db, actor, right, [unit.id], days.tree, days.last)


def ensure(
    db: Db, actor: Actor, unit: Unit, known: Mapping[str, Figure], code: str, last: date
) -> None:
    """403 names the missing right."""
    for right in lacks(actor, unit, known, code, last):
        raise forbidden(db, actor, right, unit.id)


# -- counted


class PeriodCodes(NamedTuple):
    """Figures that are asked of a period, by their codes."""

    days: Days
    codes: Sequence[str]


def counted(
    moment: Moment, actor: Actor, unit: Unit, asked: Sequence[PeriodCodes], parts: Parts
) -> list[PartFigures]:
    """Of each period its figures, and those their formulas name, in each part."""
    known = [definitions.on(days.last) for days, _ in asked]
    figures = [
        definitions.needed(on_day, [code for code in codes if code in on_day])
        for on_day, (_, codes) in zip(known, asked, strict=True)
    ]
    cells: dict[int, Cells] = {}
    for numbers in _alike(figures):
        wanted = [Wanted(asked[n].days, [*figures[n].values()]) for n in numbers]
        cells |= zip(numbers, count(moment, wanted, parts), strict=True)
    return [
        _part_figures(moment.db, actor, unit, days, figures[number], parts, cells[number])
        for number, (days, _) in enumerate(asked)
    ]


def _alike(figures: Sequence[Mapping[str, Figure]]) -> list[list[int]]:
    """The numbers of periods in which each figure has one rule; nearly always they are all."""
    found: list[tuple[dict[str, str], list[int]]] = []
    for number, some in enumerate(figures):
        keys = {code: figure.key for code, figure in some.items()}
        for rules, numbers in found:
            if all(rules.get(code, key) == key for code, key in keys.items()):
                rules.update(keys)
                numbers.append(number)
                break
        else:
            found.append((keys, [number]))
    return [numbers for _, numbers in found]


def _part_figures(
    db: Db,
    actor: Actor,
    unit: Unit,
    days: Days,
    wanted: Mapping[str, Figure],
    asked: Parts,
    cells: Cells,
) -> PartFigures:
    found = PartFigures(wanted, _hidden(actor, unit, wanted), days)
    for part_id in asked.ids:
        for code, figure in wanted.items():
            found.shown[part_id, code] = _shown(db, unit, found, figure, part_id, cells)
    return found


def _hidden(actor: Actor, unit: Unit, figures: Mapping[str, Figure]) -> frozenset[str]:
    """Those of which the actor may not know whose they are; a formula follows its terms."""
    found: set[str] = set()
    for code, figure in figures.items():
        names = figure.formula.names if figure.formula is not None else frozenset()
        if names & found or any(not actor.covers(right, unit) for right in figure.masks):
            found.add(code)
    return frozenset(found)


def _shown(
    db: Db, unit: Unit, found: PartFigures, figure: Figure, part_id: int, cells: Cells
) -> FigureValue:
    hidden = figure.code in found.hidden
    if figure.formula is not None:
        of = {name: found.value(part_id, name) for name in figure.formula.names}
        return FigureValue(_to_places(figure.formula.value(of), figure.told), hidden)
    value = cells[part_id, figure.code]
    if not hidden or value is None:
        return FigureValue(value, hidden)
    if found.days.last < local_today():
        # From the figures of many days one could tell whom a change was about.
        return FigureValue(None, withheld=True)
    # By unit and figure: in whichever answer it stands, it is drawn once.
    name = f"{figure.code}:{part_id or f'own of {unit.id}'}"
    figures = rounding.distribution(vault_of(db), name, {None: int(value)})
    if rounding.too_small(figures):
        return FigureValue(None, withheld=True)
    return FigureValue(Decimal(figures[None]), rounded=True)


def _to_places(value: Decimal | None, told: FigureDefinition) -> Decimal | None:
    if value is None:
        return None
    return value.quantize(Decimal(1).scaleb(-told.places), ROUND_HALF_UP)


def number(value: Decimal | None) -> float | int | None:
    """As JSON has it."""
    if value is None:
        return None
    return int(value) if value == value.to_integral_value() else float(value)


# -- lines


def _by_child(
    moment: Moment, actor: Actor, unit: Unit, days: Days, codes: Sequence[str]
) -> list[dict[str, Any]]:
    [total] = whole(moment, actor, unit, [days], codes)
    units, below = split(moment, actor, unit, days, codes)
    lines = _of_total(unit, total, codes, FigureLine.total)
    for code in codes:
        lines += [_line(below, FigureLine.child, code, each.id, each) for each in units]
        own, overlap = rest(total, below, unit, units, code)
        if own is not None:
            lines.append(_plain(total, FigureLine.own, code, own))
        if overlap is not None:
            lines.append(_plain(total, FigureLine.overlap, code, overlap))
    return lines


def whole(
    moment: Moment, actor: Actor, unit: Unit, stretches: Sequence[Days], codes: Iterable[str]
) -> list[PartFigures]:
    """Of the unit as one part, the same figures in each of these periods."""
    codes = [*codes]
    return together(moment, actor, unit, [PeriodCodes(days, codes) for days in stretches])


def together(
    moment: Moment, actor: Actor, unit: Unit, asked: Sequence[PeriodCodes]
) -> list[PartFigures]:
    """Of the unit as one part, of each period its own figures."""
    return counted(moment, actor, unit, asked, Parts(unit))


def split(
    moment: Moment, actor: Actor, unit: Unit, days: Days, codes: Iterable[str]
) -> tuple[list[UnitRef], PartFigures]:
    """The units directly below, and the figures of each, and of what is in none of them."""
    units = hierarchy.children(moment.db, unit.id, days.tree, days.first, days.last)
    parts = Parts(unit, tuple(units))
    [found] = counted(moment, actor, unit, [PeriodCodes(days, [*codes])], parts)
    return units, found


def rest(
    total: PartFigures, below: PartFigures, unit: Unit, units: Sequence[UnitRef], code: str
) -> tuple[Decimal | None, Decimal | None]:
    """What is the unit's own, and what its parts have in common; of exact counts alone."""
    if total.figures[code].formula is not None or code in total.hidden:
        return None, None
    own = below.value(OWN, code)
    values = [below.value(each.id, code) for each in units]
    at_all = total.value(unit.id, code)
    if at_all is None:
        return own, None
    added = sum((value for value in values if value is not None), own or Decimal(0))
    return own, added - at_all


def _of_total(
    unit: Unit, total: PartFigures, codes: Sequence[str], line: FigureLine
) -> list[dict[str, Any]]:
    """A rule that did not hold in the period has no line."""
    of_unit = UnitRef.model_validate(unit)
    known = [code for code in codes if code in total.figures]
    return [_line(total, line, code, unit.id, of_unit) for code in known]


def _line(
    found: PartFigures, line: FigureLine, code: str, part_id: int, unit: UnitRef
) -> dict[str, Any]:
    shown = found.shown[part_id, code]
    return _plain(found, line, code, shown.value) | {
        "unit_id": unit.id,
        "unit_name": unit.name,
        "terms": found.terms(part_id, code),
        "rounded": shown.rounded,
        "withheld": shown.withheld,
    }


def _plain(
    found: PartFigures, line: FigureLine, code: str, value: Decimal | None
) -> dict[str, Any]:
    told = found.figures[code].told
    return {
        "indicator": code,
        "version": told.version,
        "line": line,
        "unit_id": None,
        "unit_name": None,
        "first_day": found.days.first,
        "last_day": found.days.last,
        "measured_in": told.unit,
        "kind": told.kind,
        "value": number(value),
        "terms": [],
        "rounded": False,
        "withheld": False,
    }
