"""What happens at the end of a unit, asked of each table that names units."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from httpx2 import Response
from sqlmodel import SQLModel

from app.clock import local_today
from app.db import Database
from app.models.base import table_of
from app.models.cadres.appointments import Appointment
from app.models.kernel.access import Grant
from app.models.kernel.units import Unit, UnitEdge, UnitIdentifier
from app.services.kernel import sequencer
from app.services.kernel.manifest import manifest
from app.services.kernel.unit_ends import AtEnd, unit_columns
from app.services.units.followers import OfUnits
from tests.helpers.answers import refused
from tests.helpers.branch_world import BranchWorld
from tests.helpers.cadres import done, free_members, made
from tests.helpers.client import Api, writing
from tests.helpers.tables import changed, everything
from tests.units.units import ago, opened

# By which code a row of each refuses the closing, or the day of it.
REFUSED = {
    "member": "unit_in_use",
    "household": "households_in_unit",
    **dict.fromkeys(("event", "event_session"), "sessions_to_come"),
    **dict.fromkeys(
        ("membership", "household_place", "loan_figure", "women_count"), "unit_date_conflict"
    ),
}
# What the closing was, and the notices of it.
REORGANISATION = {"reorganisation", "reorganised_unit", "notification"}
# The closing itself adds who the successors are.
ENDED = {
    *("unit", "unit_edge", "unit_closure", "unit_identifier", "unit_succession"),
    *REORGANISATION,
    *("appointment", "access_grant"),
}
# Rows of a group (below), of a unit that was made of another, of a province, of sides that agree, and of
# what the log has yet to number, or the fold to count; and what phones have sent.
OF_OTHERS = {
    *("pushed_operation", "event_withdrawal"),
    "participation",
    "unit_succession",
    "poverty_edition",
    "outbox",
    "reorganisation",
    "reorganisation_side",
    *("figure_day", "figure_shared"),
    "file",
    *("bulk_export", "bulk_read"),
    *("unit_external_id", "webhook_endpoint"),
}


class World(BranchWorld):
    """What closes, and what is of the branch."""

    def close(self) -> Response:
        body = {"effective_on": ago(0), "kind": "abolish"}
        return self.officer.post(f"/v1/units/{self.branch}/close", json=body)

    def without_rows(self) -> set[str]:
        """The tables that name units and have no row of this one."""
        sequencer.settle(self.database)
        with self.database.reading() as db:
            return {
                str(model.__tablename__)
                for model in manifest().unit_ends
                if not db.execute(sa.select(sa.exists().where(self._of_branch(model)))).scalar()
            }

    def _of_branch(self, model: type[SQLModel]) -> sa.ColumnElement[bool]:
        table = table_of(model)
        where = [table.c[name] == self.branch for name in unit_columns(model)]
        return sa.or_(*where, table.c.id == self.branch) if model is Unit else sa.or_(*where)


@pytest.fixture
def world(api: Api, database: Database, unit_id: dict[str, int], work: Callable[[], int]) -> World:
    return World(api, database, unit_id, work)


def by_end(wanted: AtEnd) -> set[str]:
    return {str(m.__tablename__) for m, end in manifest().unit_ends.items() if end is wanted}


def test_a_branch_with_a_row_in_each_table(world: World) -> None:
    officer, database = world.officer, world.database
    assert world.without_rows() == OF_OTHERS
    assert by_end(AtEnd.refuses) == REFUSED.keys()

    def ask(table: str) -> None:
        refused(world.close(), 409, REFUSED[table])

    ask("member")
    left = {"reason": "moved_away", "effective_on": ago(0)}
    spell = made(officer.post(f"{world.member}/departures", json=left))
    ask("household")
    home = {"effective_on": ago(0)}
    done(officer.post(f"{world.household}/close", json=home))
    ask("event_session")
    with writing(database) as session:
        bounds = [each.last_days for each in manifest().followers(OfUnits) if each.last_days]
        found_days = [[*last_days(session, [world.branch])] for last_days in bounds]
        days = [str(max(filter(None, rows[0][1:]))) if rows else "None" for rows in found_days]
    # Of figures, members, groups, households and support, in the order of their capabilities.
    assert days == [ago(2), ago(1), "None", ago(1), ago(2)]
    done(officer.post(f"{world.sessions[1]}/cancel", json={"reason": "Chi hội giải thể"}))
    assert spell["valid_to"] == ago(1)

    before = everything(database)
    assert world.close().status_code == 200
    found = changed(before, everything(database))
    assert found.keys() == ENDED
    assert by_end(AtEnd.ends) == ENDED - {"unit_succession", *REORGANISATION} | {"participation"}
    with database.reading() as db:
        last = []
        for model in (Appointment, Grant, UnitEdge, UnitIdentifier):
            columns = table_of(model).c
            day = sa.select(columns.valid_to).where(columns.unit_id == world.branch)
            last.append(db.execute(day).scalar())
    assert [str(day) for day in last] == [ago(1)] * 4


def test_a_group_with_a_member(api: Api, database: Database, unit_id: dict[str, int]) -> None:
    officer, branch = api.as_("phuongvi"), unit_id["phuongvi-1"]
    group = opened(officer, "group", branch, "Tổ tiết kiệm")
    body = {"member_id": str(free_members(database, branch)[0].id), "valid_from": ago(9)}
    made(officer.post(f"/v1/groups/{group}/participations", json=body))
    before = everything(database)
    closing = {"effective_on": ago(0), "kind": "abolish"}
    done(officer.post(f"/v1/units/{group}/close", json=closing))
    found = changed(before, everything(database))
    assert found.keys() - ENDED == {"participation"}
    [[row]] = [after for _, after in [found["participation"]]]
    assert dict(row)["valid_to"] == repr(local_today() - timedelta(days=1))
