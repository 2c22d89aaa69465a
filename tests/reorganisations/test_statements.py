"""How many statements a reorganisation takes: the same for two branches as for eight."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from app.db import Database
from tests.helpers.answers import Json, UnitIds
from tests.helpers.cadres import done, made
from tests.helpers.client import Api
from tests.units.units import ago, opened


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    found: list[str] = []

    def note(*args: object) -> None:
        found.append(str(args[2]))

    for engine in (database.reader, database.writer):
        sa.event.listen(engine, "before_cursor_execute", note)
    yield found
    for engine in (database.reader, database.writer):
        sa.event.remove(engine, "before_cursor_execute", note)


def test_it_does_not_grow_with_the_units(api: Api, database: Database, unit_id: UnitIds) -> None:
    officer, decider = api.as_("camkhe"), api.as_("phutho")
    commune = unit_id["tienluong"]

    def statements(branches: int) -> tuple[int, int]:
        """Of the preview and of what is done, of a draft that closes so many branches."""
        closing = [
            opened(officer, "branch", commune, f"Chi hội {branches}.{n}") for n in range(branches)
        ]
        operations: list[Json] = [{"op": "close", "unit_id": each} for each in closing]
        draft = made(
            officer.post(
                "/v1/reorganisations", json={"effective_on": ago(0), "operations": operations}
            )
        )
        path = f"/v1/reorganisations/{draft['id']}"
        with counted(database) as of_preview:
            digest = done(decider.get(f"{path}/preview"))["digest"]
        with counted(database) as of_act:
            done(decider.post(f"{path}/apply", json={"digest": digest}))
        return len(of_preview), len(of_act)

    few, many = statements(2), statements(8)
    assert many == few
