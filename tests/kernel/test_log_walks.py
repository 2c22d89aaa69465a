"""A page of the change log costs what is on it: at its end as at its beginning, for every reader."""

from collections.abc import Iterator
from datetime import date

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlmodel import Session, col

from app.api.http.server import serving
from app.clock import utc_now
from app.db import Database
from app.models.base import new_id
from app.models.kernel.access import Grant, Role
from app.models.kernel.changes import Change, ChangeSource, Feed, FeedHead, Operation, Outbox
from app.models.kernel.units import Unit
from app.services.kernel import changes, sequencer
from tests.conftest import make_settings
from tests.helpers.answers import UnitIds
from tests.helpers.client import Api, writing
from tests.helpers.databases import ON_POSTGRESQL, Clones
from tests.helpers.serving import give
from tests.http.test_pages_read import cost, sent
from tests.kernel.changes import account, done, read

FACTOR, CONSTANT = 1.5, 60 if ON_POSTGRESQL else 4_000
# Of a long log: most of it is of one commune, its two ends are of the readers' branches.
ROUND, LONG = 100, 20_000
# Every reader walks in another way: by one unit's index, several, or the log as it is.
READERS = {"branch": "phuongvi-1", "branches": "tienluong-1", "province": "phutho"}


def enter(session: Session, unit: Unit, number: int) -> None:
    """So many changes of a unit, past the unit of work."""
    if ON_POSTGRESQL:
        sequencer.place_committed(session)
    first = session.execute(sa.select(col(FeedHead.seq))).scalar_one() + 1
    of_all = {"operation": Operation.updated, "entity": "unit", "entity_id": str(unit.id)}
    placed = of_all | {
        "unit_id": unit.id,
        "province_id": unit.province_id,
        "district_id": unit.district_id,
        "commune_id": unit.commune_id,
        "branch_id": unit.branch_id,
    }
    of_log = of_all | {"at": utc_now(), "source": ChangeSource.job, "revision": 2}
    ids = [new_id() for _ in range(number)]
    session.execute(sa.insert(Change), [of_log | {"id": id_, "after": {}} for id_ in ids])
    places = [placed | {"seq": first + n, "change_id": id_} for n, id_ in enumerate(ids)]
    session.execute(sa.insert(Feed), places)
    session.execute(sa.update(FeedHead).values(seq=first + number - 1))


@pytest.fixture(scope="module")
def long_log(clones: Clones, shared_app: FastAPI) -> Iterator[Database]:
    with clones.clone() as url:
        database = Database(make_settings(url))
        of_branches = account(database, READERS["branches"])
        with writing(database) as session:
            changes.attribute(session, changes.Origin(ChangeSource.job))
            by_name = {
                unit.name if unit.branch_id is None else (unit.commune_id, unit.name): unit
                for unit in session.execute(sa.select(Unit)).scalars()
            }
            commune = by_name["Xã Tiên Lương"]
            one, other, third = (
                by_name[by_name[name].id, f"Chi hội khu {n}"]
                for name, n in (("Xã Phượng Vĩ", 1), ("Xã Tiên Lương", 1), ("Xã Tiên Lương", 2))
            )
            session.add(
                Grant(
                    account_id=of_branches.id,
                    unit_id=third.id,
                    role=Role.branch_head,
                    valid_from=date(2024, 1, 1),
                    created_at=utc_now(),
                    updated_at=utc_now(),
                )
            )
            session.flush()
            for unit, number in (
                *((each, ROUND) for each in (one, other, third)),
                (commune, LONG),
                *((each, ROUND) for each in (one, other, third)),
            ):
                enter(session, unit, number)
        with database.writer.connect() as connection:
            settled = connection.execution_options(isolation_level="AUTOCOMMIT")
            settled.exec_driver_sql("VACUUM ANALYZE" if ON_POSTGRESQL else "ANALYZE")
        give(shared_app, database=database)
        serving(shared_app).signin.verified.clear()
        yield database
        database.close()


@pytest.mark.parametrize("reader", READERS)
def test_a_page_costs_the_same_wherever_it_stands(
    long_log: Database, shared_app: FastAPI, reader: str
) -> None:
    caller = Api(shared_app).as_(READERS[reader])
    everything = read(caller)
    seen = [change["seq"] for change in everything]
    assert seen == sorted(set(seen))
    assert len(seen) > (LONG if reader == "province" else 2 * ROUND)
    first, last = (_cost(long_log, caller, after) for after in (0, seen[-60]))
    assert last <= first * FACTOR + CONSTANT


def test_one_branch_is_read_by_its_index(long_log: Database, shared_app: FastAPI) -> None:
    """The officer of the province asks for it: nothing between its two ends is read."""
    caller = Api(shared_app).as_(READERS["province"])
    unit = account(long_log, READERS["branch"]).unit_id
    of_branch = read(caller, f"&unit={unit}")
    assert {change["unit_id"] for change in of_branch} == {unit}
    last = _cost(long_log, caller, of_branch[-60]["seq"], f"&unit={unit}")
    assert last <= _cost(long_log, caller, 0) * FACTOR + CONSTANT
    middle = next(change["seq"] for change in of_branch if change["seq"] > LONG // 2)
    across = _cost(long_log, caller, middle - LONG // 2, f"&unit={unit}")
    assert across <= _cost(long_log, caller, 0) * FACTOR + CONSTANT


def _cost(database: Database, caller: Api, after: int, query: str = "") -> int:
    with sent(database) as statements:
        page = done(caller.get(f"/v1/changes?limit=50&after={after}{query}"))
    assert page["items"]
    return cost(database, statements)


@pytest.mark.skipif(not ON_POSTGRESQL, reason="SQLite numbers a change as it is written")
def test_what_was_planned_for_few_numbers_many(database: Database, unit_id: UnitIds) -> None:
    """The queue was empty when its statement was prepared, and an import fills it in an instant."""
    one = {"operation": Operation.updated, "entity": "unit", "unit_id": unit_id["phuongvi"]}
    with writing(database) as session:
        session.execute(sa.text("SET LOCAL statement_timeout = '5s'"))
        while sequencer.place_committed(session):
            pass
        session.execute(sa.text("ANALYZE outbox"))
        for number in [1] * 8 + [40_000]:
            rows = [one | {"change_id": new_id(), "entity_id": "1"} for _ in range(number)]
            session.execute(sa.insert(Outbox), rows)
            placed = 0
            while found := sequencer.place_committed(session):
                placed += found
            assert placed == number
        session.rollback()
