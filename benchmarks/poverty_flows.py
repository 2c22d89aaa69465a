"""Flow tables at a million households: what the database takes for any unit, period and division.

    python -m benchmarks.poverty_flows --households 1000000

A province of 148 communes with 40 branches each (37 drawn, each four times); households as the demo draws them, with three
yearly reviews on a day of each commune's own and one decision in ten in another month. Only the
roll-up is filled: it is all that is read. A figure is one whole `figures_of`: the statement through
SQLAlchemy and its rows added up.
"""

import statistics
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Annotated, Any

import sqlalchemy as sa
import typer
from alembic import command
from alembic.config import Config
from rich.console import Console
from rich.table import Table

from app.config import Environment, Settings
from app.db import Database
from app.models.households.households import PovertyClass
from app.models.kernel.units import AreaType
from app.models.poverty.flows import PovertyFlow
from app.models.poverty.poverty import StatusChange
from app.services.capabilities import install
from app.services.demo import homes, reviews
from app.services.poverty.flow_sums import figures_of
from app.services.poverty.stays import (
    Flow,
    History,
    StayDecision,
    StayPerson,
    StayPlace,
    Tree,
    flows_of,
    stays_of,
)
from app.services.poverty.stays import (
    Path as UnitPath,
)
from benchmarks.databases import PROJECT, Databases, SQLiteFiles, postgresql, working_folder

COMMUNES, BRANCHES = 148, 40
# So many communes are drawn, each of them stands four times in the province.
DRAWN = COMMUNES // 4
PROVINCE = 1
TARGET_MS = 10.0
CHUNK = 5_000
console = Console(width=112)


def commune_of(branch: int) -> int:
    return 10 + (branch - 1_000) // BRANCHES


def tree() -> Tree:
    branches = range(1_000, 1_000 + COMMUNES * BRANCHES)
    paths = {branch: UnitPath(commune_of(branch), None, PROVINCE) for branch in branches}
    areas = {
        10 + commune: [(date.min, AreaType.urban if commune % 10 == 0 else AreaType.rural)]
        for commune in range(COMMUNES)
    }
    return Tree({id_: [(date.min, path)] for id_, path in paths.items()}, areas)


def histories(households: int, rng: Random) -> Iterator[History]:
    """Those of them that were ever reviewed: nobody else is in the roll-up."""
    for number in range(households):
        classes = reviews.drawn(rng)
        if not any(classes):
            continue
        branch = 1_000 + number % (DRAWN * BRANCHES)
        people = [
            StayPerson(homes.OPENED, None, place == 0, rng.random() < 0.5, rng.choice(GROUPS))
            for place in range(rng.choice((1, 2, 3, 4, 4, 5)))
        ]
        home = StayPlace(homes.OPENED, None, branch, None)
        yield History([home], list(decisions(classes, branch, rng)), people)


GROUPS = ("01",) * 16 + ("04", "04", "02", "09")
CAUSES = ("no_capital", "no_land", "no_labour", "no_knowledge", "illness_accident", "no_skills")


def decisions(
    classes: list[PovertyClass | None], branch: int, rng: Random
) -> Iterator[StayDecision]:
    days = []
    for review, class_ in zip(homes.REVIEWS, classes, strict=True):
        if class_ is not None:
            day = review.replace(day=1 + commune_of(branch) % 14)
            if rng.random() < 0.1:
                day = (day - timedelta(days=30 * rng.randint(1, 10))).replace(day=20)
            days.append((day, class_))
    days.sort(key=lambda pair: pair[0])
    for place, (day, class_) in enumerate(days):
        last = place + 1 == len(days)
        until = None if last else days[place + 1][0] - timedelta(days=1)
        if until is None or until >= day:
            causes = tuple(rng.sample(CAUSES, rng.randint(1, 2)))
            yield StayDecision(day, until, class_, StatusChange.none, causes)


def rows(households: int) -> list[dict[str, Any]]:
    where, rng = tree(), Random(6)
    numbers: tuple[Counter[Flow], Counter[Flow]] = Counter(), Counter()
    for history in histories(households // 4, rng):
        for total, more in zip(numbers, flows_of(stays_of(history, where)), strict=True):
            total.update(more)
    return [
        {
            **flow._asdict(),
            "unit_id": unit_id,
            "households": times * number,
            "people": times * heads,
        }
        for flow, number in numbers[0].items()
        for heads in [numbers[1][flow]]
        for unit_id, times in copies(flow.unit_id)
    ]


def copies(unit_id: int) -> list[tuple[int, int]]:
    """(unit, how often it is counted) of a unit drawn."""
    if unit_id == PROVINCE:
        return [(PROVINCE, 4)]
    step = DRAWN * BRANCHES if unit_id >= 1_000 else DRAWN
    return [(unit_id + each * step, 1) for each in range(4)]


ASKED: dict[str, tuple[list[int], str, date, date, bool, bool]] = {
    name: (units, by, first, last, apart, branches)
    for where, units, branches in (
        ("province", [PROVINCE], False),
        ("commune", [10], False),
        ("branch", [1_000], True),
    )
    for what, by, first, last, apart in (
        ("a year", "", date(2025, 1, 1), date(2025, 12, 31), False),
        ("any days", "", date(2024, 3, 5), date(2025, 12, 9), False),
        ("by ethnic group", "ethnicity", date(2024, 3, 5), date(2025, 12, 9), False),
        ("by cause", "cause", date(2024, 3, 5), date(2025, 12, 9), False),
    )
    for name in [f"{where}, {what}"]
} | {
    "communes of the province": (
        list(range(10, 10 + COMMUNES)),
        "",
        date(2024, 3, 5),
        date(2025, 12, 9),
        True,
        False,
    ),
    "branches of a commune": (
        list(range(1_000, 1_000 + BRANCHES)),
        "",
        date(2024, 3, 5),
        date(2025, 12, 9),
        True,
        True,
    ),
}


def measure(database: Database, rounds: int) -> dict[str, tuple[float, float]]:
    """p50 and p95 of each question, in ms, warm."""
    found = {}
    with database.reading() as db:
        for name, (units, by, first, last, apart, branches) in ASKED.items():
            times = []
            for _ in range(rounds + 1):
                begun = time.perf_counter()
                figures_of(db, units, by, first, last, apart=apart, branches=branches)
                times.append(1_000 * (time.perf_counter() - begun))
            times = sorted(times[1:])
            found[name] = statistics.median(times), times[int(0.95 * len(times)) - 1]
    return found


def fill(databases: Databases, made: list[dict[str, Any]]) -> Database:
    url = databases.create("poverty_flows")
    settings = Settings.model_validate(
        {
            "environment": Environment.test,
            "database_url": url,
            "jwt_secret": "a-secret-of-the-benchmark-0123456789",
            "data_keys": "data-keys-of-the-benchmark-0123456789",
        }
    )
    config = Config(PROJECT / "alembic.ini")
    config.set_main_option("script_location", str(PROJECT / "alembic"))
    config.attributes["url"] = url
    config.attributes["vault"] = settings.vault()
    command.upgrade(config, "head")
    database = Database(settings)
    with database.writer.begin() as connection:
        for start in range(0, len(made), CHUNK):
            connection.execute(sa.insert(PovertyFlow), made[start : start + CHUNK])
    with database.writer.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        vacuum = "ANALYZE" if database.on_sqlite else "VACUUM ANALYZE poverty_flow"
        connection.exec_driver_sql(vacuum)
    return database


def main(
    households: Annotated[int, typer.Option(help="In the province.")] = 1_000_000,
    only: Annotated[str, typer.Option(help="sqlite or postgresql.")] = "",
    rounds: Annotated[int, typer.Option(help="Questions of a kind.")] = 40,
) -> None:
    """Fill the roll-up on each database, then ask."""
    install()
    begun = time.perf_counter()
    made = rows(households)
    spent = time.perf_counter() - begun
    console.print(f"{households:,} households: {len(made):,} rows in {spent:.0f} s")
    with ExitStack() as stack:
        folder: Path = stack.enter_context(working_folder())
        for name in [only] if only else ["sqlite", "postgresql"]:
            databases: Databases = (
                SQLiteFiles(folder) if name == "sqlite" else stack.enter_context(postgresql(folder))
            )
            database = fill(databases, made)
            table = Table("asked", "p50 ms", "p95 ms", title=name)
            for asked, (p50, p95) in measure(database, rounds).items():
                mark = "" if p95 < TARGET_MS else " *"
                table.add_row(asked, f"{p50:.1f}", f"{p95:.1f}{mark}")
            console.print(table)
            database.close()


if __name__ == "__main__":
    typer.run(main)
