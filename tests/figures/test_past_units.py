"""Who held a role over a unit that has closed reads its tree and figures of its days, and nothing else."""

from datetime import date
from typing import Any

import pytest
from sqlmodel import col, select

from app.db import Database
from app.models.kernel.access import Grant, Role
from app.models.kernel.accounts import Account, AccountKind
from app.models.kernel.changes import ChangeSource
from app.services.kernel import changes
from tests.figures.test_figures import asked, value
from tests.helpers.answers import UnitIds, pointed
from tests.helpers.cadres import account, done, free_members, made
from tests.helpers.client import Api, utc_now, writing
from tests.units.test_merged_units import World
from tests.units.units import ago, ids, moved, opened

LAST = 30
PHONE = "+84912000111"
HOLDER = "tienluong-2"


def granted(database: Database, world: World, username: str, role: Role) -> None:
    holder, now = account(database, username).id, utc_now()
    with writing(database) as session:
        changes.attribute(session, changes.Origin(ChangeSource.cli))
        session.add(
            Grant(
                account_id=holder,
                unit_id=world.commune,
                role=role,
                valid_from=date.fromisoformat(ago(500)),
                created_at=now,
                updated_at=now,
            )
        )


def grant(database: Database, world: World) -> Grant:
    with writing(database) as session:
        return session.exec(select(Grant).where(col(Grant.unit_id) == world.commune)).one()


def days(first: int, last: int) -> str:
    return f"{ago(first)}..{ago(last)}"


def refused(api: Api, world: World, period: str, code: str) -> None:
    for path in ("/v1/figures", "/v1/figure-checks", "/v1/figures/members.total/picture"):
        answer = api.get(path, params={"unit": world.commune, "period": period})
        pointer = "/period" if code == "period_after_unit" else "/unit"
        pointed(answer, pointer, code)


@pytest.fixture
def world(api: Api, database: Database, unit_id: UnitIds) -> World:
    world = World(api, database, unit_id)
    granted(database, world, HOLDER, Role.commune_officer)
    return world


@pytest.fixture
def holder(api: Api, world: World, unit_id: UnitIds) -> Api:
    """Its officer, whose commune has become part of another."""
    done(world.officer.patch(f"/v1/units/{world.branch}", json={"phone": PHONE}))
    world.close(unit_id["tienluong"])
    return api.as_(HOLDER)


def test_the_figures_of_its_days_are_read(api: Api, world: World, holder: Api) -> None:
    above = api.as_("phutho")
    codes = "members.total,movement.admitted,poverty.poor,events.sessions"
    for period in (days(50, 50), days(400, LAST), days(LAST, LAST)):
        seen = asked(holder, world.commune, codes, period=period, by="child")
        assert seen == asked(above, world.commune, codes, period=period, by="child")
    assert value(holder, world.commune, "members.total", period=days(50, 50)) == 1
    assert value(holder, world.branch, "members.total", period=days(50, 50)) == 1
    query = {"unit": world.commune, "period": days(400, LAST)}
    checks = done(holder.get("/v1/figure-checks", params=query))["items"]
    assert {each["check"]: each["result"] for each in checks}["movement.balance"] == "holds"
    picture = holder.get("/v1/figures/members.total/picture", params=query)
    assert picture.status_code == 200, picture.text


def test_it_is_the_same_past_in_every_tree(api: Api, world: World, holder: Api) -> None:
    query = {"unit": world.commune, "indicators": "members.total", "period": days(50, 50)}
    for hierarchy in ("as_was", "as_is", ago(40), ago(60)):
        more = {"hierarchy": hierarchy}
        found = done(holder.get("/v1/figures", params=query | more))
        assert found == done(api.as_("phutho").get("/v1/figures", params=query | more))


def test_figures_of_whose_religion_are_withheld(world: World, holder: Api) -> None:
    [found] = asked(holder, world.commune, "members.religious", period=days(50, 50))
    assert (found["value"], found["withheld"]) == (None, True)


def test_its_units_of_then_are_listed(world: World, holder: Api) -> None:
    """With their people of the day; the address and phone of today are for who answers for them."""
    path = f"/v1/units?under={world.commune}&as_of={ago(50)}"
    [found] = done(holder.get(path))["items"]
    contact = {"phone": None, "email": None, "address": None}
    assert found | contact == found
    [seen] = done(world.officer.get(path))["items"]
    assert (seen["id"], seen["phone"], seen["member_count"]) == (world.branch, PHONE, 1)
    assert seen | contact == found
    page = done(holder.get(f"/v1/units/{world.commune}?as_of={ago(50)}"))
    assert page == done(world.officer.get(f"/v1/units/{world.commune}?as_of={ago(50)}"))
    children = done(holder.get(f"/v1/units/{world.commune}/children?as_of={ago(LAST)}"))["items"]
    assert [each["id"] for each in children] == [world.branch]
    assert ids(holder.get(f"/v1/units?as_of={ago(50)}&limit=200")) > {world.commune, world.branch}


def test_what_had_gone_elsewhere_before_is_not_among_them(
    api: Api, database: Database, unit_id: UnitIds
) -> None:
    world = World(api, database, unit_id)
    granted(database, world, HOLDER, Role.commune_officer)
    gone = opened(world.officer, "branch", world.commune, "Chi hội đi")
    moved(world.officer, gone, unit_id["phuongvi"], ago(45))
    world.close(unit_id["tienluong"])
    holder = api.as_(HOLDER)
    then, later = (f"/v1/units?under={world.commune}&as_of={ago(day)}" for day in (46, 45))
    assert ids(holder.get(then)) == {world.branch, gone}
    assert ids(holder.get(later)) == {world.branch}
    assert holder.get(f"/v1/units/{gone}?as_of={ago(45)}").status_code == 404
    query = {"unit": world.commune, "indicators": "members.total", "period": days(50, 44)}
    older = holder.get("/v1/figures", params=query | {"hierarchy": ago(60)})
    assert older.status_code == 403


def test_who_i_am_says_what_i_may_read(world: World, holder: Api) -> None:
    me = done(holder.get("/v1/me"))
    [past] = me["past_grants"]
    assert (past["unit"]["id"], past["valid_to"]) == (world.commune, ago(LAST))
    assert world.commune not in {each["unit"]["id"] for each in me["grants"]}


@pytest.mark.parametrize("last", [LAST - 1, 1, 0])
def test_a_later_day_is_refused(world: World, holder: Api, last: int) -> None:
    refused(holder, world, days(100, last), "period_after_unit")


def test_no_record_is_read_and_nothing_is_written(world: World, holder: Api) -> None:
    commune, branch, member = world.commune, world.branch, world.member["id"]
    then: dict[str, Any] = {"unit": commune, "as_of": ago(50)}
    for path, query in (
        ("/v1/members/count", then),
        ("/v1/members", {"unit": commune}),
        ("/v1/households", {"unit": commune}),
        ("/v1/events", {"unit": commune}),
    ):
        answer = holder.get(path, params=query)
        assert [each["code"] for each in answer.json()["errors"]] == ["unit_unknown"], path
    explained = "/v1/figures/members.total/explain"
    answer = holder.get(explained, params={"unit": commune, "period": days(50, 50)})
    pointed(answer, "/unit", "unit_unknown")
    for path in (
        f"/v1/units/{commune}",
        f"/v1/units/{commune}?as_of={ago(LAST - 1)}",
        f"/v1/units/{commune}/lineage",
        f"/v1/units/{commune}/overview",
        f"/v1/units/{commune}/movement?from={ago(50)}",
        f"/v1/units/{branch}",
        f"/v1/branches/{branch}",
        f"/v1/members/{member}",
        f"/v1/members/{member}/memberships",
    ):
        assert holder.get(path).status_code == 404, path
    for entity, key in (("unit", commune), ("member", member)):
        changed = done(holder.get(f"/v1/changes?kinds={entity}&limit=200"))["items"]
        assert str(key) not in {str(each["entity_id"]) for each in changed}
    for which in ("", f"as_of={ago(LAST - 1)}&include_closed=true&", "include_closed=true&"):
        assert not {commune, branch} & ids(holder.get(f"/v1/units?{which}limit=200"))
    body = {"branch_id": branch, "as_of": ago(50), "women": 5}
    pointed(holder.post("/v1/women-counts", json=body), "/branch_id", "unit_unknown")
    patch = holder.patch(f"/v1/units/{commune}", json={"name": "Xã Khác"})
    assert patch.status_code == 404


def test_rows_are_not_read_by_a_right_of_today_to_the_unit_alone(
    api: Api, database: Database, world: World, holder: Api
) -> None:
    """Who sees the unit, and held the right to its members only in the past, sees none of them."""
    granted(database, world, HOLDER, Role.admin)
    query = {"unit": world.commune, "period": days(50, 50)}
    reader = api.as_(HOLDER)
    answer = reader.get("/v1/figures/members.total/explain", params=query)
    assert (answer.status_code, answer.json()["required_right"]) == (403, "members:read")
    assert value(reader, world.commune, "members.total", period=days(50, 50)) == 1


def test_others_read_nothing_of_it(api: Api, world: World, holder: Api) -> None:
    for username in ("phuongvi", "tienluong-1", "admin"):
        if username != "admin":
            refused(api.as_(username), world, days(50, 50), "unit_unknown")
        assert done(api.as_(username).get("/v1/me"))["past_grants"] == []


@pytest.mark.parametrize("role", [Role.admin, Role.integration_reader])
def test_a_role_that_answers_for_no_unit_ends_with_it(
    api: Api, database: Database, unit_id: UnitIds, role: Role
) -> None:
    world = World(api, database, unit_id)
    granted(database, world, HOLDER, role)
    world.close(unit_id["tienluong"])
    assert grant(database, world).reads_past is False
    refused(api.as_(HOLDER), world, days(50, 50), "unit_unknown")


def test_it_ends_after_the_days_of_the_policy(
    api: Api,
    database: Database,
    world: World,
    holder: Api,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(database.settings, "past_reading_days", LAST)
    assert value(api.as_(HOLDER), world.commune, "members.total", period=days(50, 50)) == 1
    for allowed in (LAST - 1, 0):
        monkeypatch.setattr(database.settings, "past_reading_days", allowed)
        refused(api.as_(HOLDER), world, days(50, 50), "unit_unknown")


def test_who_had_lost_the_role_before_it_was_closed_reads_no_past(
    api: Api, database: Database, unit_id: UnitIds
) -> None:
    """It is closed for a day on which she still had it."""
    world = World(api, database, unit_id)
    granted(database, world, HOLDER, Role.commune_officer)
    held = grant(database, world).id
    with writing(database) as session:
        changes.attribute(session, changes.Origin(ChangeSource.cli))
        session.get_one(Grant, held).valid_to = date.fromisoformat(ago(1))
    world.close(unit_id["tienluong"])
    found = grant(database, world)
    assert (found.valid_to, found.reads_past) == (date.fromisoformat(ago(LAST)), False)
    refused(api.as_(HOLDER), world, days(50, 50), "unit_unknown")


def test_a_program_reads_no_past(api: Api, database: Database, world: World, holder: Api) -> None:
    held_by = account(database, HOLDER).id
    with writing(database) as session:
        changes.attribute(session, changes.Origin(ChangeSource.cli))
        session.get_one(Account, held_by).kind = AccountKind.client
    refused(api.as_(HOLDER), world, days(50, 50), "unit_unknown")


def test_it_is_taken_away_like_any_role(
    api: Api, database: Database, world: World, holder: Api
) -> None:
    path = f"/v1/accounts/{account(database, HOLDER).id}"
    [past] = done(world.officer.get(path))["past_grants"]
    after = done(world.officer.delete(f"{path}/grants/{past['id']}"))
    assert after["past_grants"] == []
    refused(api.as_(HOLDER), world, days(50, 50), "unit_unknown")


@pytest.mark.parametrize("act", ["reset", "enable"])
def test_who_does_not_hold_it_opens_no_account_that_does(
    api: Api, database: Database, unit_id: UnitIds, act: str
) -> None:
    """The commune was divided: of its history nobody below the province has the whole."""
    world = World(api, database, unit_id)
    granted(database, world, HOLDER, Role.commune_officer)
    path = f"/v1/accounts/{account(database, HOLDER).id}"
    world.close(unit_id["tienluong"], unit_id["phuongvi"], kind="split")
    if act == "enable":
        done(world.officer.post(f"{path}/disable"))
    answer = api.as_("tienluong").post(f"{path}/{act}")
    assert (answer.status_code, answer.json()["code"]) == (403, "grant_exceeds_own")
    done(world.officer.post(f"{path}/{act}"))


def test_who_leaves_the_union_reads_no_past(
    api: Api, database: Database, world: World, holder: Api
) -> None:
    assert grant(database, world).reads_past is True
    member = account(database, HOLDER).member_id
    gone = {"reason": "works_far_away", "effective_on": ago(0)}
    made(api.as_("phutho").post(f"/v1/members/{member}/departures", json=gone))
    assert grant(database, world).reads_past is False
    refused(api.as_(HOLDER), world, days(50, 50), "unit_unknown")


def test_who_is_given_the_account_next_reads_no_past_of_the_one_before(
    api: Api, database: Database, world: World, holder: Api, unit_id: UnitIds
) -> None:
    path, officer = f"/v1/accounts/{account(database, HOLDER).id}", api.as_("phutho")
    assert len(done(officer.get(path))["past_grants"]) == 1
    assert done(officer.patch(path, json={"member_id": None}))["past_grants"] == []
    other = free_members(database, unit_id["tienluong-1"])[0].id
    given = done(officer.patch(path, json={"member_id": str(other)}))
    assert (given["member_id"], given["past_grants"]) == (str(other), [])
    assert grant(database, world).reads_past is False
    refused(api.as_(HOLDER), world, days(50, 50), "unit_unknown")


def test_a_unit_that_is_open_again_is_held_as_before(
    api: Api, database: Database, world: World, holder: Api
) -> None:
    before = value(holder, world.commune, "members.total", period=days(50, 50))
    listed = done(world.officer.get(f"/v1/reorganisations?unit={world.commune}"))["items"]
    closing = next(each for each in listed if each["effective_on"] == ago(LAST - 1))
    done(world.officer.post(f"/v1/reorganisations/{closing['id']}/revert", json={}))
    found = grant(database, world)
    assert (found.valid_to, found.reads_past) == (None, False)
    again = api.as_(HOLDER)
    assert value(again, world.commune, "members.total", period=days(50, 0)) == 0
    assert value(again, world.commune, "members.total", period=days(50, 50)) == before
    assert done(again.get(f"/v1/units/{world.commune}"))["id"] == world.commune
    assert done(again.get("/v1/me"))["past_grants"] == []
