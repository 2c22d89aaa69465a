"""Publish the figures of a province: rounded once, frozen, corrected by the next edition.

Every published number is one of these cells or a sum of them, whatever is asked: so a reader who
subtracts periods, levels or divisions learns no more than the cells themselves tell.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlmodel import Session, col

from app.clock import local_today, utc_now
from app.db import AnySelect, insert_many, vault_of
from app.errors import Problem, invalid
from app.models.base import new_id
from app.models.kernel.access import Right
from app.models.kernel.units import Unit, UnitLevel
from app.models.poverty.editions import (
    EditionCreate,
    EditionQuery,
    PovertyEdition,
    PublishedBy,
    PublishedFigure,
)
from app.models.poverty.flows import FlowGrain, FlowKind, FlowTable, PovertyFlow
from app.services.disclosure import inference, rounding
from app.services.kernel.access import Actor, require_somewhere
from app.services.kernel.keyset import Order, Pages, pages
from app.services.kernel.reach import within
from app.services.poverty.flow_sums import MEASURES, SIGNS
from app.services.units.units import find_filter, find_target
from app.vault import Vault

CLOSING = "closing"
# As many values at least remain possible for each figure.
_FEWEST_POSSIBLE = 3
_MOST_DRAWS = 50


class Cell(NamedTuple):
    by: PublishedBy
    year: int
    table: FlowTable
    name: str
    part: str
    measure: str


Cells = Mapping[Cell, int]


# -- publishing


def publish(session: Session, actor: Actor, body: EditionCreate) -> PovertyEdition:
    """The next edition of a province: all years from its first decision to the last one.

    One in a calendar year: from many editions of almost the same figures one could take averages.
    """
    province = find_target(
        session,
        actor,
        body.unit_id,
        Right.poverty_recognise,
        pointer="/unit_id",
        level=UnitLevel.province,
        alone=True,
    )
    today = local_today()
    last_year = today.year - 1 if body.last_year is None else body.last_year
    if last_year >= today.year:
        raise invalid("year_not_over", "/last_year", year=last_year)
    before = _newest(session, province.id)
    if before is not None and before.published_on.year >= today.year:
        raise Problem("edition_this_year", number=before.number, date=before.published_on)
    if before is not None and last_year < before.last_year:
        raise invalid("edition_shorter", "/last_year", year=before.last_year)
    return write(session, province.id, 1 if before is None else before.number + 1, last_year)


def write(session: Session, province_id: int, number: int, last_year: int) -> PovertyEdition:
    """The figures as they are now, rounded, as this edition."""
    cells = _cells(session, province_id, last_year)
    now = utc_now()
    edition = PovertyEdition(
        id=new_id(),
        province_id=province_id,
        number=number,
        first_year=min((cell.year for cell in cells), default=last_year),
        last_year=last_year,
        published_on=local_today(),
        created_at=now,
        updated_at=now,
    )
    session.add(edition)
    session.flush()
    drawn = _safely_rounded(vault_of(session), province_id, cells)
    insert_many(session, PublishedFigure, list(_rows(edition, drawn)))
    return edition


def _newest(session: Session, province_id: int) -> PovertyEdition | None:
    statement = (
        sa.select(PovertyEdition)
        .where(col(PovertyEdition.province_id) == province_id)
        .order_by(col(PovertyEdition.number).desc())
        .limit(1)
    )
    return session.execute(statement).scalar_one_or_none()


def _cells(session: Session, province_id: int, last_year: int) -> dict[Cell, int]:
    """Every flow of every year, and where it leads: what stood in a class on the year's last day.

    Zeros too: each part that occurs in some year has all its cells in all of them.
    """
    statement = sa.select(
        col(PovertyFlow.by),
        col(PovertyFlow.starts_on),
        col(PovertyFlow.poverty_class),
        col(PovertyFlow.kind),
        col(PovertyFlow.part),
        *(getattr(PovertyFlow, measure) for measure in MEASURES),
    ).where(
        col(PovertyFlow.unit_id) == province_id,
        col(PovertyFlow.by).in_(list(PublishedBy)),
        col(PovertyFlow.grain) == FlowGrain.year,
        col(PovertyFlow.starts_on) <= date(last_year, 12, 31),
    )
    flows: dict[Cell, int] = {}
    for by, starts_on, table, kind, part, *numbers in session.execute(statement):
        for measure, number in zip(MEASURES, numbers, strict=True):
            cell = Cell(PublishedBy(by), starts_on.year, table, kind.value, part, measure)
            flows[cell] = number
    cells: dict[Cell, int] = {}
    first_year = min((cell.year for cell in flows), default=last_year)
    for by, part in sorted({(cell.by, cell.part) for cell in flows}):
        for table in FlowTable:
            for measure in MEASURES:
                stands = 0
                for year in range(first_year, last_year + 1):
                    for kind in FlowKind:
                        cell = Cell(by, year, table, kind.value, part, measure)
                        cells[cell] = flows.get(cell, 0)
                        stands += SIGNS[kind] * cells[cell]
                    cells[Cell(by, year, table, CLOSING, part, measure)] = stands
    return cells


def _safely_rounded(vault: Vault, province_id: int, cells: Cells) -> Cells:
    """Rounded so that adding up leaves several values possible for each figure."""
    equations = list(_equations(cells))
    for draw in range(_MOST_DRAWS):
        drawn = _rounded(vault, f"poverty:{province_id}:{draw}", cells)
        ranges = inference.possible(drawn, equations).values()
        if all(largest - least + 1 >= _FEWEST_POSSIBLE for least, largest in ranges):
            return drawn
    raise Problem("figures_too_revealing")


def _rounded(vault: Vault, name: str, cells: Cells) -> Cells:
    """The same figures of a year are drawn the same way in every edition."""
    of_year: dict[tuple[int, bool], dict[str | None, int]] = defaultdict(dict)
    places: dict[tuple[int, bool], list[Cell]] = defaultdict(list)
    for cell in sorted(cells):
        key = (cell.year, cell.name == CLOSING)
        of_year[key][":".join(map(str, cell))] = cells[cell]
        places[key].append(cell)
    drawn: dict[Cell, int] = {}
    for key, figures in of_year.items():
        rounded = rounding.distribution(vault, f"{name}:{key}", figures)
        drawn |= zip(places[key], rounded.values(), strict=True)
    return drawn


def _equations(cells: Cells) -> Iterator[inference.Equation[Cell]]:
    """What everybody knows of flow tables: they balance, and two divisions have one total."""
    first_year = min((cell.year for cell in cells), default=0)
    for cell in cells:
        if cell.name == CLOSING:
            opening = [(cell._replace(year=cell.year - 1), 1)] if cell.year > first_year else []
            flows = [(cell._replace(name=kind.value), SIGNS[kind]) for kind in FlowKind]
            yield [*opening, *flows, (cell, -1)]
    totals: dict[Cell, list[tuple[Cell, int]]] = defaultdict(list)
    for cell in cells:
        if cell.by is not PublishedBy.cause:  # a household may have several
            sign = 1 if cell.by is PublishedBy.area else -1
            totals[cell._replace(by=PublishedBy.area, part="")].append((cell, sign))
    yield from totals.values()


def _rows(edition: PovertyEdition, drawn: Cells) -> Iterable[dict[str, Any]]:
    rows: dict[Cell, dict[str, int]] = defaultdict(lambda: dict.fromkeys(MEASURES, 0))
    for cell, figure in drawn.items():
        if figure:
            rows[cell._replace(measure="")][cell.measure] = figure
    for cell, figures in rows.items():
        yield {
            "edition_id": edition.id,
            "by": cell.by,
            "year": cell.year,
            "poverty_class": cell.table,
            "name": cell.name,
            "part": cell.part,
            **figures,
        }


# -- reading

_SHOWN: AnySelect = sa.select(
    col(PovertyEdition.id),
    col(PovertyEdition.province_id).label("unit_id"),
    col(PovertyEdition.number),
    col(PovertyEdition.first_year),
    col(PovertyEdition.last_year),
    col(PovertyEdition.published_on),
    col(PovertyEdition.revision),
)
_NEWEST = Order(col(PovertyEdition.published_on).desc(), col(PovertyEdition.id).desc())


def list_editions(db: Connection, actor: Actor, query: EditionQuery) -> Pages:
    """Editions of provinces that the actor may see, the newest first."""
    reach = require_somewhere(db, actor, Right.units_read)
    statement = _SHOWN.join(Unit, col(Unit.id) == col(PovertyEdition.province_id))
    if query.unit is None:
        statement = statement.where(within(Unit, reach))
    else:
        find_filter(db, actor, query.unit, pointer="/unit")
        statement = statement.where(col(PovertyEdition.province_id) == query.unit)
    return pages(statement, _NEWEST)


def read(session: Session, edition: PovertyEdition) -> dict[str, Any]:
    """An edition, as EditionRead."""
    statement = _SHOWN.where(col(PovertyEdition.id) == edition.id)
    return dict(session.execute(statement).one()._mapping)
