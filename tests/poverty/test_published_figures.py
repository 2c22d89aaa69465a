"""What somebody learns about poverty who may not see it: rounded editions, and nothing between."""

from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from app.clock import local_today
from app.db import Database
from app.models.kernel.access import Grant
from app.models.kernel.accounts import Account
from app.models.kernel.units import UnitLevel
from app.models.poverty.editions import PovertyEdition, PublishedFigure
from app.models.poverty.flows import ENTRIES, FlowKind
from app.services.poverty import editions
from tests.helpers import solving
from tests.helpers.answers import Json, pointed, refused
from tests.helpers.cadres import Ids, done, forbidden, made
from tests.helpers.client import Api, writing
from tests.helpers.homes import attributed, decide, home, move
from tests.helpers.rows import add_unit

PARTS = ("area", "female_head", "cause")
MEASURES = ("households", "people")
ROUNDED_BY = 4
FLOWS = ("new", "relapsed", "from_other", "moved_in", "to_other", "escaped", "moved_out", "ended")


def last_year() -> int:
    """The last that has ended."""
    return local_today().year - 1


def years() -> tuple[int, int, int]:
    last = last_year()
    return last - 2, last - 1, last


def dated(asked: Json) -> Json:
    """Of the last year, and of the one after it."""
    last = last_year()
    return {name: value.format(last=last, next=last + 1) for name, value in asked.items()}


class Cell(NamedTuple):
    by: str
    part: str
    table: str
    year: int
    name: str
    measure: str


def world_of(database: Database, unit_id: Ids) -> None:
    """Twenty families of a province over three years: most figures are under five."""
    branches = [unit_id[name] for name in ("phuongvi-1", "phuongvi-2", "tienluong-1")]
    last = last_year()
    for number in range(20):
        woman = number % 3 > 0
        family = home(database, branches[number % 3], people=1 + number % 5, woman=woman)
        causes = (("illness",), ("capital", "illness"), ())[number % 3]
        decide(database, family, "poor", f"{years()[number % 2]}-03-{number + 1:02}", causes=causes)
        if number % 4 == 0:
            decide(database, family, "near_poor", f"{last}-02-{number + 1:02}", causes=causes)
        if number % 5 == 0:
            decide(database, family, "escaped_poverty", f"{last}-09-{number + 1:02}")
        if number % 7 == 0:
            move(database, family, branches[(number + 1) % 3], f"{last}-05-01")


@pytest.fixture
def world(database: Database, unit_id: Ids) -> Ids:
    world_of(database, unit_id)
    return unit_id


def publish(api: Api, world: Ids, **more: int) -> Json:
    body = {"unit_id": world["phutho"]} | more
    return made(api.as_("phutho").post("/v1/poverty-editions", json=body))


def figures(
    api: Api, world: Ids, first: int, last: int, by: str | None, *, who: str = "auditor"
) -> list[Json]:
    asked: Json = {"unit": world["phutho"], "from": f"{first}-01-01", "to": f"{last}-12-31"}
    asked |= {} if by is None else {"by": by}
    found: list[Json] = done(api.as_(who).get("/v1/poverty-status", params=asked))["items"]
    return found


def periods() -> Iterator[tuple[int, int]]:
    return ((a, b) for a, b in product(years(), years()) if a <= b)


class TestPublishing:
    def test_an_edition_holds_all_years_and_is_listed(self, api: Api, world: Ids) -> None:
        edition = publish(api, world)
        assert edition["number"] == 1
        assert (edition["first_year"], edition["last_year"]) == (years()[0], last_year())
        assert edition["published_on"] == local_today().isoformat()
        listed = done(api.as_("auditor").get("/v1/poverty-editions"))["items"]
        assert listed == [edition]
        of = {"unit": world["phutho"]}
        assert done(api.as_("auditor").get("/v1/poverty-editions", params=of))["items"] == [edition]

    def test_before_the_first_there_are_no_figures(self, api: Api, world: Ids) -> None:
        asked = {"unit": world["phutho"]}
        problem = refused(
            api.as_("auditor").get("/v1/poverty-status", params=asked), 409, "not_published"
        )
        assert [unit["id"] for unit in problem["units"]] == [world["phutho"]]

    def test_one_in_a_calendar_year(self, api: Api, world: Ids, database: Database) -> None:
        publish(api, world)
        body = {"unit_id": world["phutho"]}
        again = api.as_("phutho").post("/v1/poverty-editions", json=body)
        refused(again, 409, "edition_this_year")
        with database.reading() as db:
            assert db.execute(sa.select(sa.func.count()).select_from(PovertyEdition)).scalar() == 1

    @pytest.mark.parametrize(
        ("more_years", "code"), [(1, "year_not_over"), (-1, "edition_shorter")]
    )
    def test_of_years_that_have_ended_and_no_fewer(
        self, api: Api, world: Ids, database: Database, more_years: int, code: str
    ) -> None:
        publish(api, world)
        a_year_later(database)
        body = {"unit_id": world["phutho"], "last_year": last_year() + more_years}
        pointed(api.as_("phutho").post("/v1/poverty-editions", json=body), "/last_year", code)

    def test_by_who_recognises_poverty_in_the_province(self, api: Api, world: Ids) -> None:
        body = {"unit_id": world["phutho"]}
        path = "/v1/poverty-editions"
        forbidden(api.as_("auditor").post(path, json=body), "poverty:recognise")
        pointed(api.as_("phuongvi").post(path, json=body), "/unit_id", "unit_unknown")
        below = {"unit_id": world["phuongvi"]}
        pointed(api.as_("phutho").post(path, json=below), "/unit_id", "unit_level_wrong")
        assert done(api.as_("auditor").get(path))["items"] == []

    def test_figures_that_no_draw_protects_are_not_published(
        self, api: Api, world: Ids, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(editions, "_FEWEST_POSSIBLE", 10)
        body = {"unit_id": world["phutho"]}
        refused(
            api.as_("phutho").post("/v1/poverty-editions", json=body), 409, "figures_too_revealing"
        )
        with database.reading() as db:
            for table in (PovertyEdition, PublishedFigure):
                assert db.execute(sa.select(sa.func.count()).select_from(table)).scalar() == 0


class TestOutsiders:
    def test_see_rounded_figures_near_the_exact_ones(self, api: Api, world: Ids) -> None:
        publish(api, world)
        for by in PARTS:
            exact = {
                (line["table"], line["part"]): line
                for line in figures(api, world, last_year(), last_year(), by, who="phutho")
            }
            for line in figures(api, world, last_year(), last_year(), by):
                assert (line["rounded"], line["edition"]) == (True, 1)
                true = exact.get((line["table"], line["part"]))
                for name, measure in product((*FLOWS, "opening", "closing"), MEASURES):
                    figure = line[f"{name}_{measure}"]
                    assert figure % 5 == 0
                    if line["part"] is not None:
                        number = true[f"{name}_{measure}"] if true else 0
                        assert abs(figure - number) <= ROUNDED_BY

    @pytest.mark.parametrize(
        "asked",
        [
            {"unit": "phuongvi"},
            {"unit": "phuongvi-1"},
            {"unit": "phutho", "by": "unit"},
            {"unit": "phutho", "path": "/transitions", "from": "{last}-01-01"},
        ],
    )
    def test_have_no_other_table(self, api: Api, world: Ids, asked: dict[str, str]) -> None:
        publish(api, world)
        query = dated(asked | {"to": "{last}-12-31"}) | {"unit": world[asked["unit"]]}
        path = "/v1/poverty-status" + str(query.pop("path", ""))
        forbidden(api.as_("auditor").get(path, params=query), "poverty:read")

    @pytest.mark.parametrize(
        ("asked", "pointer", "code"),
        [
            ({"from": "{last}-02-01"}, "/from", "period_not_whole_years"),
            ({"to": "{last}-11-30"}, "/to", "period_not_whole_years"),
            ({"to": "{next}-12-31"}, "/to", "year_not_published"),
            ({"from": "{next}-01-01"}, "/to", "dates_reversed"),
            ({"hierarchy": "as_is"}, "/hierarchy", "hierarchy_not_published"),
        ],
    )
    def test_have_whole_published_years(
        self, api: Api, world: Ids, asked: Json, pointer: str, code: str
    ) -> None:
        publish(api, world)
        answer = api.as_("auditor").get(
            "/v1/poverty-status", params={"unit": world["phutho"]} | dated(asked)
        )
        pointed(answer, pointer, code)

    def test_see_corrections_with_the_next_edition_alone(
        self, api: Api, world: Ids, database: Database
    ) -> None:
        publish(api, world)
        before = everything(api, world)
        for number in range(20):
            family = home(database, world["phuongvi-1"], people=1 + number % 4)
            decide(database, family, "poor", f"{last_year()}-10-{number + 1:02}")
        assert everything(api, world) == before
        a_year_later(database)
        assert publish(api, world)["number"] == 2
        after = everything(api, world)
        first = years()[0]
        unchanged, changed = (
            {key: line for key, line in told.items() if key[1:3] == (first, first)}
            for told in (before, after)
        )
        assert [_without_edition(each) for each in unchanged.values()] == [
            _without_edition(each) for each in changed.values()
        ]
        assert after != before


class TestTheNation:
    def test_is_the_sum_of_its_provinces(self, api: Api, world: Ids, database: Database) -> None:
        central = central_reader(database)
        asked = {"unit": central, "by": "unit"}
        refused(api.as_("auditor").get("/v1/poverty-status", params=asked), 409, "not_published")
        publish(api, world)
        lines = done(api.as_("auditor").get("/v1/poverty-status", params=asked))["items"]
        total, part = (line for line in lines if line["table"] == "poor")
        assert (total["part"], part["part"]) == (None, str(world["phutho"]))
        [province] = (
            line
            for line in figures(api, world, last_year(), last_year(), None)
            if line["table"] == "poor"
        )
        for name, measure in product((*FLOWS, "opening", "closing"), MEASURES):
            column = f"{name}_{measure}"
            assert total[column] == part[column] == province[column]


class TestASolver:
    def test_recovers_what_is_only_left_out(self) -> None:
        """The solver itself works: a withheld figure follows from the others."""
        exact = {"opening": (10, 10), "new": (0, 9), "closing": (13, 13)}
        balance = [("opening", 1), ("new", 1), ("closing", -1)]
        assert list(solving.ranges(exact, [balance], [], ["new"])) == [("new", 3, 3)]

    def test_finds_several_values_for_each_figure(
        self, api: Api, world: Ids, database: Database
    ) -> None:
        """From all an auditor can fetch, before and after twenty corrections."""
        publish(api, world)
        self.attack(api, world)
        for number in range(20):
            family = home(database, world["phuongvi-2"], people=1 + number % 3)
            decide(database, family, "poor", f"{years()[number % 3]}-11-{number + 1:02}")
        a_year_later(database)
        publish(api, world)
        self.attack(api, world)

    def attack(self, api: Api, world: Ids) -> None:
        cells = base_of(api, world, "auditor")
        self.every_other_number_is_a_sum_of_these(api, world, cells)
        true = base_of(api, world, "phutho")
        bounds = {
            cell: (max(0, figure - ROUNDED_BY), figure + ROUNDED_BY)
            for cell, figure in (dict.fromkeys(true, 0) | cells).items()
        }
        equal = [terms for terms in known(bounds) if len(terms) > 1]
        at_least = [
            [(cell._replace(measure="people"), 1), (cell, -1)]
            for cell in bounds
            if cell.measure == "households"
        ]
        truth = {cell: true.get(cell, 0) for cell in bounds}
        for cell, (low, high) in bounds.items():
            assert low <= truth[cell] <= high
        assert all(sum(truth[cell] * factor for cell, factor in terms) == 0 for terms in equal)
        small = [cell for cell, number in truth.items() if 0 < number < 5]
        assert len(small) > 40
        for cell, least, largest in solving.ranges(bounds, equal, at_least, small):
            assert largest - least >= 2 - 1e-6, (cell, truth[cell], least, largest)

    def every_other_number_is_a_sum_of_these(
        self, api: Api, world: Ids, cells: dict[Cell, int]
    ) -> None:
        """So other periods, totals and files tell nothing that the cells do not."""
        for (first, last), by in product(periods(), (None, *PARTS)):
            for line in figures(api, world, first, last, by):
                of = [
                    cell
                    for cell in cells
                    if (cell.table == line["table"] and (cell.by, cell.part) == (by, line["part"]))
                    or (line["part"] is None and cell.by == "area" and cell.table == line["table"])
                ]
                for measure in MEASURES:
                    years = {name: range(first, last + 1) for name in FLOWS}
                    years |= {"closing": range(last, last + 1)}
                    years |= {"opening": range(first - 1, first)}
                    for name, in_years in years.items():
                        stored = "closing" if name == "opening" else name
                        expected = sum(
                            cells[cell]
                            for cell in of
                            if cell.measure == measure
                            and cell.name == stored
                            and cell.year in in_years
                        )
                        assert line[f"{name}_{measure}"] == expected


def base_of(api: Api, world: Ids, who: str) -> dict[Cell, int]:
    """The figures of single years and parts."""
    cells = {}
    for year, by in product(years(), PARTS):
        for line in figures(api, world, year, year, by, who=who):
            if line["part"] is not None:
                for name, measure in product((*FLOWS, "adjusted", "closing"), MEASURES):
                    cell = Cell(by, line["part"], line["table"], year, name, measure)
                    cells[cell] = line[f"{name}_{measure}"]
    return cells


def known(cells: dict[Cell, Any]) -> Iterator[list[tuple[Cell, int]]]:
    """Balance of each line, and one total of two divisions."""
    signs = {name: 1 if FlowKind(name) in ENTRIES else -1 for name in FLOWS} | {"adjusted": 1}
    for cell in cells:
        if cell.name == "closing":
            terms = [(cell._replace(name=name), sign) for name, sign in signs.items()]
            before = cell._replace(year=cell.year - 1)
            yield [*([(before, 1)] if before in cells else []), *terms, (cell, -1)]
    for cell in {cell._replace(by="", part="") for cell in cells if cell.by != "cause"}:
        yield [
            (each, 1 if each.by == "area" else -1)
            for each in cells
            if each.by != "cause" and each._replace(by="", part="") == cell
        ]


def everything(api: Api, world: Ids) -> dict[tuple[Any, ...], Json]:
    return {
        (by, first, last, line["table"], line["part"]): line
        for (first, last), by in product(periods(), (None, *PARTS))
        for line in figures(api, world, first, last, by)
    }


def _without_edition(line: Json) -> Json:
    return {name: line[name] for name in line if name != "edition"}


def central_reader(database: Database) -> int:
    """The auditor reads the whole nation; the id of its unit."""
    with writing(database) as session:
        attributed(session)
        central = add_unit(session, UnitLevel.central, "Trung ương", None)
        auditor = session.exec(select(Account).where(col(Account.username) == "auditor")).one()
        grant = session.exec(select(Grant).where(col(Grant.account_id) == auditor.id)).one()
        assert central.id is not None
        grant.unit_id = central.id
        return central.id


def a_year_later(database: Database) -> None:
    """The last edition was published a year ago."""
    published_on = local_today().replace(year=last_year(), day=1)
    with writing(database) as session:
        session.execute(sa.update(PovertyEdition).values(published_on=published_on))
