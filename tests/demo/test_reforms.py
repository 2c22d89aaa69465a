"""The reforms of 2025 in the demo: its whole tree with few people, reformed over HTTP and back."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from fastapi import FastAPI
from sqlmodel import Session, select

from app.api.http.server import Server, serve_with
from app.clock import local_today
from app.db import Database
from app.models.kernel.changes import ChangeSource
from app.models.reorganisations.reorganisations import Reorganisation
from app.services.demo import demo, introductions, meetings, past, reforms
from app.services.demo.draws import DEFAULT_SEED, read_data
from app.services.demo.plan import DemoPlan, Scale, plan
from app.services.kernel import changes, sequencer
from app.services.kernel.access_log import AccessLog
from tests.conftest import make_settings, migrate
from tests.helpers.answers import Json
from tests.helpers.cadres import done
from tests.helpers.client import Api, writing
from tests.helpers.databases import Clones
from tests.helpers.tables import Tables, changed, everything

IN_A_BRANCH, BRANCHES = 4, 257
# Three are enough: the meetings of all take a while.
HELD_IN = {"Thị trấn Cẩm Khê", "Xã Tiên Lương", "Xã Phượng Vĩ"}
PEOPLE = IN_A_BRANCH * BRANCHES
OF_2025_JULY = {
    "08341": "Xã Cẩm Khê",
    "08344": "Xã Tiên Lương",
    "08377": "Xã Vân Bán",
    "08398": "Xã Phú Khê",
    "08416": "Xã Hùng Việt",
    "08431": "Xã Đồng Lương",
}
# What is left of a reorganisation that was taken back, what records it, and what is to be counted anew.
LEFT = {"reorganisation", "reorganised_unit", "notification", "event_withdrawal"}


def thin(scale: Scale, seed: int = DEFAULT_SEED) -> DemoPlan:
    """The tree of a scale with four people in each branch."""
    whole = plan(scale, seed)
    units = [replace(unit, members=min(unit.members, IN_A_BRANCH)) for unit in whole.units]
    return DemoPlan(seed, tuple(units))


@contextmanager
def loaded(clones: Clones, scale: Scale) -> Iterator[Database]:
    """The demo as `hoiso demo` loads it, with its drafts."""
    with clones.empty() as url, pytest.MonkeyPatch.context() as patch:
        migrate(url)
        patch.setattr(demo, "plan", thin)
        database = Database(make_settings(url))
        with Session(database.writer, autoflush=False, expire_on_commit=False) as session:
            demo.load(session, scale=scale, password_hash="-", progress=lambda *_: None)
            for commune, branches in past.communes_met(session):
                if commune.name in HELD_IN:
                    meetings.hold(session, commune, branches, DEFAULT_SEED)
            reforms.draft(session)
            session.commit()
        sequencer.settle(database)
        yield database
        database.close()


def contents(rows: set[Any]) -> list[Any]:
    return sorted(tuple(pair for pair in row if pair[0] != "id") for row in rows)


@dataclass
class World:
    """What is asked of the union in each state."""

    api: Api
    database: Database
    ids: dict[str, int]

    def drafts(self) -> list[Json]:
        """By their days."""
        found = done(self.api.as_("phutho").get("/v1/reorganisations"))["items"]
        return sorted(found, key=lambda each: str(each["effective_on"]))

    def preview(self, draft: Json) -> Json:
        return done(self.api.as_("phutho").get(f"/v1/reorganisations/{draft['id']}/preview"))

    def act(self, draft: Json, act: str, body: Json | None = None) -> Json:
        path = f"/v1/reorganisations/{draft['id']}/{act}"
        return done(self.api.as_("phutho").post(path, json=body or {}))

    def get(self, path: str, who: str = "phutho") -> Json:
        return done(self.api.as_(who).get(path))

    def units(self, under: str, level: str, as_of: str | None = None) -> list[Json]:
        day = as_of or local_today().isoformat()
        path = f"/v1/units?under={self.ids[under]}&level={level}&as_of={day}&limit=200"
        found: list[Json] = []
        page = self.get(path)
        found += page["items"]
        while page["next_cursor"]:
            page = self.get(f"{path}&cursor={page['next_cursor']}")
            found += page["items"]
        return found

    def rows(self, path: str) -> list[Json]:
        found: list[Json] = self.get(f"{path}&limit=200")["items"]
        return found

    def total(self, who: str, month: str, hierarchy: str) -> int:
        path = (
            f"/v1/figures?unit={self.ids[who]}&indicators=members.total&period={month}"
            f"&hierarchy={hierarchy}"
        )
        [figure] = self.get(path)["items"]
        return int(figure["value"])


def world_of(app: FastAPI, server: Server, database: Database) -> World:
    serve_with(app, replace(server, database=database, access_log=AccessLog(database)))
    api = Api(app)
    ids: dict[str, int] = {}
    for who in ("phutho", "camkhe", "phuongvi", "tienluong", "phuongvi-1"):
        ids[who] = done(api.as_(who).get("/v1/me"))["unit"]["id"]
    return World(api, database, ids)


def reformed(world: World) -> None:
    for draft in world.drafts():
        world.act(draft, "apply", {"digest": world.preview(draft)["digest"]})


@pytest.fixture(scope="module")
def district(clones: Clones, shared_app: FastAPI, shared_server: Server) -> Iterator[World]:
    with loaded(clones, Scale.district) as database:
        yield world_of(shared_app, shared_server, database)


@pytest.fixture(scope="module")
def was(district: World) -> Tables:
    return everything(district.database)


@pytest.fixture(scope="module")
def previews(district: World, was: Tables) -> list[Json]:
    """Of both while nothing is done yet."""
    return [district.preview(draft) for draft in district.drafts()]


@pytest.fixture(scope="module")
def done_with(district: World, previews: list[Json]) -> World:
    for draft in district.drafts():
        district.act(draft, "apply", {"digest": district.preview(draft)["digest"]})
    return district


class TestDistrict:
    """One story: looked at, done, asked, taken back."""

    def test_drafts_say_what_is_guessed(self, district: World, previews: list[Json]) -> None:
        first, second = (
            district.get(f"/v1/reorganisations/{draft['id']}") for draft in district.drafts()
        )
        assert (first["effective_on"], second["effective_on"]) == ("2025-01-01", "2025-07-01")
        merged = [each for each in first["operations"] if each["op"] == "merge"]
        assert sum(len(each["unit_ids"]) for each in merged) == 8
        assert all(each["inferred"] for each in merged)
        assert not any(each.get("inferred") for each in second["operations"])
        assert "suy đoán" in first["note"]
        assert "Tuy Lộc" in first["note"]

    def test_nothing_stands_in_their_way(self, previews: list[Json]) -> None:
        first, second = previews
        assert (first["problems"], second["problems"]) == ([], [])
        assert first["overlaps"]
        for preview in previews:
            province = next(each for each in preview["totals"] if each["name"] == "Tỉnh Phú Thọ")
            assert province["was"] == province["becomes"] == PEOPLE
            assert preview["name_clashes"]
            assert preview["consequences"]["posts_ending"]
        town = next(each for each in second["units"] if each["unit"] == "camkhe-2025")
        assert town["becomes"]["area_type"] == "rural"

    def test_the_tree_of_2024_is_still_there(self, done_with: World) -> None:
        communes = done_with.units("camkhe", "commune", "2024-10-01")
        assert len(communes) == 24
        assert len(done_with.units("camkhe", "branch", "2024-10-01")) == BRANCHES
        spring = done_with.units("camkhe", "commune", "2025-03-01")
        assert len(spring) == 16
        assert {"Xã Minh Thắng", "Xã Phong Thịnh", "Xã Phú Khê", "Xã Nhật Tiến"} < {
            each["name"] for each in spring
        }
        today = done_with.units("phutho", "commune")
        assert {each["code"]: each["name"] for each in today} == OF_2025_JULY
        assert len(done_with.units("phutho", "branch")) == BRANCHES
        assert done_with.units("phutho", "district") == []

    def test_phuong_vi_resolves_to_tien_luong(self, done_with: World) -> None:
        found = done_with.get(f"/v1/units/{done_with.ids['phuongvi']}/lineage")
        assert "Xã Tiên Lương" in str(found)

    def test_codes_of_2024_lead_to_those_of_today(self, done_with: World) -> None:
        """As the file of the reforms has it: through what became of a commune in between, and with the
        mark of what is guessed."""
        of_january, of_july = read_data("reforms.yaml")
        through = {old: each["into"] for each in of_january["enlarged"] for old in each["closing"]}
        heirs = {old: each["code"] for each in of_july["founded"] for old in each["closing"]}
        rows = done_with.rows("/v1/code-lists/commune/crosswalk?from=2024-12-31&to=2025-07-01")
        found = {row["from_code"]: row for row in rows}
        assert len(rows) == len(found) == 24
        for code, row in found.items():
            assert row["to_code"] == heirs[through.get(code, code)]
            assert row["to_name"] == OF_2025_JULY[row["to_code"]]
            assert row["confirmed"] == (code not in through)
            assert row["effective_on"] == "2025-07-01"
            assert row["relation"] == "merged"
            assert row["source"].endswith(of_july["decree"])
            assert row["source"].startswith(of_january["decree"]) == (code in through)
        assert (found["08398"]["from_name"], found["08398"]["to_name"]) == (
            "Xã Yên Tập",
            "Xã Phú Khê",
        )
        [district] = done_with.rows(
            "/v1/code-lists/district/crosswalk?from=2025-06-30&to=2025-07-01"
        )
        assert (district["relation"], district["to_code"]) == ("ended", None)

    def test_all_are_counted_as_was_and_as_is(self, done_with: World) -> None:
        for month in ("2024-10", "2025-03"):
            as_was, as_is = (done_with.total("phutho", month, each) for each in ("as_was", "as_is"))
            assert as_was == as_is
            assert PEOPLE - 10 < as_was <= PEOPLE
        this_month = f"{local_today():%Y-%m}"
        assert done_with.total("phutho", this_month, "as_was") == PEOPLE
        assert done_with.total("phutho", this_month, "as_is") == PEOPLE

    def test_roles_over_what_closed_have_ended(self, done_with: World) -> None:
        for username in ("phuongvi", "tienluong", "camkhe"):
            me = done_with.get("/v1/me", username)
            assert me["grants"] == []
            [past] = me["past_grants"]
            path = f"/v1/figures?unit={past['unit']['id']}&indicators=members.total&period="
            month, last = path + past["valid_to"][:7], f"{path}{past['valid_to'][:4]}"
            seen = done_with.get(month, username)
            assert seen["items"][0]["value"] > 0
            assert seen == done_with.get(month)
            answer = done_with.api.as_(username).get(last)
            code = "period_after_unit"
            assert past["valid_to"].endswith("12-31") or answer.json()["errors"][0]["code"] == code
            under = f"/v1/units?under={past['unit']['id']}&limit=200&as_of="
            then = done_with.get(under + past["valid_to"], username)
            assert then["items"]
            assert then == done_with.get(under + past["valid_to"])
            assert all(each["member_count"] for each in then["items"])
            for path in ("/v1/units", "/v1/members", "/v1/households", "/v1/changes"):
                assert done_with.api.as_(username).get(path).status_code == 403, path
        [grant] = done_with.get("/v1/me", "phuongvi-1")["grants"]
        assert grant["unit"]["id"] == done_with.ids["phuongvi-1"]
        above = done_with.get(f"/v1/units/{done_with.ids['phuongvi-1']}")["parent_id"]
        assert done_with.get(f"/v1/units/{above}")["name"] == "Xã Tiên Lương"

    def test_events_since_are_of_the_new_communes(self, done_with: World) -> None:
        """Held by a commune that had closed on that day; who was invited still is."""
        new = {each["id"] for each in done_with.units("phutho", "commune")}
        contests = done_with.get("/v1/events?kind=contest&limit=200")["items"]
        assert len(contests) == len(HELD_IN)
        assert {host for each in contests for host in each["host_unit_ids"]} <= new
        assert all(len(each["invited_unit_ids"]) in (12, 13, 14) for each in contests)
        path = f"/v1/units/{done_with.ids['phutho']}/attendance?from=2020-01-01"
        counts = done_with.get(f"{path}&by=commune")
        assert {each["unit"]["id"] for each in counts["items"]} <= new
        assert sum(each["participations"] for each in counts["items"]) == counts["participations"]
        assert counts["participations"] > 0
        assert counts["invitations"] >= counts["participations"]

    def test_all_is_as_it_was_when_both_are_taken_back(self, done_with: World, was: Tables) -> None:
        for draft in reversed(done_with.drafts()):
            assert done_with.act(draft, "revert")["state"] == "reverted"
        found = changed(was, everything(done_with.database))
        # Derived anew from the decisions: the same, with other ids.
        gone, came = found.pop("poverty_stay", (set(), set()))
        assert contents(gone) == contents(came)
        assert found.keys() <= LEFT


class TestSmall:
    def test_two_communes_become_one(
        self, clones: Clones, shared_app: FastAPI, shared_server: Server
    ) -> None:
        with loaded(clones, Scale.small) as database:
            world = world_of(shared_app, shared_server, database)
            was = everything(database)
            [draft] = world.drafts()
            preview = world.preview(draft)
            assert preview["problems"] == []
            world.act(draft, "apply", {"digest": preview["digest"]})
            [commune] = world.units("phutho", "commune")
            assert commune["name"] == "Xã Tiên Lương"
            assert len(world.units("phutho", "branch")) == 8
            world.act(draft, "revert")
            assert changed(was, everything(database)).keys() <= LEFT

    def test_loaded_as_reformed(
        self, clones: Clones, shared_app: FastAPI, shared_server: Server
    ) -> None:
        with loaded(clones, Scale.small) as database:
            with writing(database) as session:
                changes.attribute(session, changes.Origin(ChangeSource.demo))
                draft = session.exec(select(Reorganisation.id)).one()
                reforms.carry_out(session, draft, "-")
            world = world_of(shared_app, shared_server, database)
            [grant] = world.get("/v1/me", "tienluong-2025")["grants"]
            assert (grant["role"], grant["valid_from"]) == ("commune_officer", "2025-07-01")
            names = [each["name"] for each in world.units("phutho", "branch")]
            assert len(set(names)) == 8
            assert "Chi hội khu 1 (Xã Phượng Vĩ)" in names
            with writing(database) as session:
                shown = {each.username: each.unit for each in introductions.introduced(session)}
            assert shown["tienluong-2025"] == "Xã Tiên Lương"
            assert shown["phuongvi-1"] == "Chi hội khu 1 (Xã Phượng Vĩ), Xã Tiên Lương"
