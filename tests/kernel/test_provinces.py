"""The province of rows about people: each table says it, and each row says that of its record."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from app.clock import local_today
from app.db import Database
from app.models.base import table_of
from app.models.cadres.trainings import Training
from app.models.members.members import Member
from app.services.kernel.manifest import manifest
from app.services.kernel.provinces import following_together, hanging, owned_by_people
from app.services.units.carrying import carry
from tests.helpers.answers import UnitIds
from tests.helpers.branch_world import BranchWorld, ago, live_on
from tests.helpers.cadres import done, free_members, made
from tests.helpers.client import Api, counted, writing
from tests.helpers.homes import attributed
from tests.units.units import unit_row

# Tables that name people, and why their rows are of no province.
OF_THE_NATION = {
    "access_read": "a log, divided by month; whose data it was is found by the id",
    "account": "one name signs in in the whole nation",
    "duplicate_pair": "two records, which may be of two provinces",
    "file": "its bytes are elsewhere too; found by its id",
    "merge": "two records, which may be of two provinces",
}
# Rows that the world of a branch does not make.
_UNMADE = {"escape_check"}


def test_every_table_about_people_says_the_province_or_why_not() -> None:
    columns = {
        str(model.__tablename__): table_of(model).columns.get("province_id")
        for model in owned_by_people(manifest())
    }
    assert len(columns) > 25
    assert {name for name, column in columns.items() if column is None} == set(OF_THE_NATION), (
        "a table about people has `province_id`, NOT NULL (docs/developers.md)"
    )
    assert [n for n, column in columns.items() if column is not None and column.nullable] == []


def test_what_follows_a_record_is_not_in_the_log() -> None:
    """One update carries it, and no follower needs to know."""
    tracked = manifest().tracked
    logged = [
        model.__tablename__
        for model, _ in hanging(manifest())
        if model in tracked and "province_id" not in tracked[model].left_out
    ]
    assert logged == []


def provinces(database: Database) -> dict[str, dict[Any, tuple[int, int]]]:
    """By table the province of each row, and that of the record it hangs on."""
    found = {}
    with database.reading() as db:
        for model, owner in hanging(manifest()):
            rows, record = (
                table_of(model),
                sa.table(owner, sa.column("id"), sa.column("province_id")),
            )
            key = rows.c[f"{owner}_id"]
            both = sa.select(
                *rows.primary_key, rows.c.province_id.label("p"), record.c.province_id.label("r")
            ).join_from(rows, record, record.c.id == key)
            found[rows.name] = {row[:-2]: (row.p, row.r) for row in db.execute(both)}
    return found


def test_rows_follow_their_record_to_another_province(
    api: Api, database: Database, unit_id: UnitIds, work: Callable[[], int]
) -> None:
    world = BranchWorld(api, database, unit_id, work)
    live_on(world)
    visit = {"visited_on": ago(9), "visitors": ["Bà Lan"]}
    made(world.officer.post(f"{world.household}/visits", json=visit))
    someone = done(world.officer.get(f"/v1/members?branch={world.branch}&limit=1"))["items"][0]
    named = {"system": "khac", "value": "1"}
    for owner in ({"member_id": someone["id"]}, {"household_id": world.household.split("/")[-1]}):
        made(world.officer.post("/v1/external-ids", json=named | owner))
    before = provinces(database)
    elsewhere = unit_id["camkhe"]  # any other unit will do for another province
    paths = {
        id_: {
            name: getattr(unit_row(database, id_), name) for name in ("district_id", "commune_id")
        }
        | {"province_id": elsewhere}
        for id_ in (world.branch, world.near)
    }
    with writing(database) as session:
        carry(attributed(session), paths, set(), local_today())
    after = provinces(database)
    assert after.keys() == before.keys()
    moved = {}
    for name, rows in after.items():
        assert rows.keys() == before[name].keys()
        assert all(province == record for province, record in rows.values()), name
        moved[name] = sum(province == elsewhere for province, _ in rows.values())
        assert moved[name] < len(rows) or name not in ("appointment", "member_identifier")
    assert {name for name, number in moved.items() if not number} == _UNMADE


def test_branches_that_go_different_ways_are_followed_together(
    database: Database, unit_id: UnitIds
) -> None:
    elsewhere = unit_id["camkhe"]
    branches = (unit_id["phuongvi-1"], unit_id["tienluong-1"])
    paths = {
        id_: {"commune_id": unit_row(database, id_).commune_id, "province_id": elsewhere}
        for id_ in branches
    }
    with (
        writing(database) as session,
        counted(database) as statements,
        following_together(attributed(session)),
    ):
        carry(session, paths, set(), local_today())
    tables = [model.__tablename__ for model, owner in hanging(manifest()) if owner == "member"]
    for table in tables:
        assert sum(each.startswith(f"UPDATE {table} SET province") for each in statements) == 1
    of_numbers = provinces(database)["member_identifier"].values()
    assert all(one == two for one, two in of_numbers)
    assert {one for one, _ in of_numbers} == {elsewhere, unit_id["phutho"]}


def test_rows_go_to_the_province_of_the_record_they_are_merged_into(
    api: Api, database: Database, unit_id: UnitIds
) -> None:
    officer = api.as_("phuongvi")
    kept, other = free_members(database, unit_id["phuongvi-1"])[:2]
    training = {"kind": "professional", "name": "Kế toán"}
    made(officer.post(f"/v1/members/{other.id}/trainings", json=training))
    with writing(database) as session:
        for model, column in ((Member, Member.id), (Training, Training.member_id)):
            there = sa.update(model).where(col(column) == other.id)
            session.execute(there.values(province_id=unit_id["camkhe"]))
    sent = {"other_id": str(other.id), "reason": "Ghi hai lần"}
    merge = made(officer.post(f"/v1/members/{kept.id}/merges", json=sent))
    merged = provinces(database)["training"].values()
    assert [*merged] == [(unit_id["phutho"], unit_id["phutho"])]
    done(officer.post(f"/v1/merges/{merge['id']}/undo"))
    assert all(one == two for rows in provinces(database).values() for one, two in rows.values())
