"""Exports since another: a follower that applies them has what a whole export has."""

import pytest

from app.db import Database
from tests.exports.asking import Work, exported, household, rows_of
from tests.helpers.answers import Json, UnitIds, pointed, refused
from tests.helpers.client import Api
from tests.kernel.changes import done
from tests.privacy.test_erased_phones import erase
from tests.reorganisations.elsewhere import to_another_province
from tests.sync.acts import granted, move_unit

KINDS = ["unit", "member", "household", "appointment", "visit"]


class Follower:
    """It has rows by kind, and applies each export to them."""

    def __init__(self, api: Api, work: Work, **body: object) -> None:
        self.api, self.work = api, work
        self.body: Json = {"kinds": KINDS} | body
        self.kinds: list[str] = self.body["kinds"]
        self.rows: dict[str, dict[str, Json]] = {kind: {} for kind in self.kinds}
        self.watermark: str | None = None
        self.ops: dict[str, str] = {}
        self.gone: dict[str, Json] = {}

    def follow(self) -> None:
        since = {} if self.watermark is None else {"since": self.watermark}
        manifest = exported(self.api, self.work, **self.body | since)
        self.ops, self.gone = {}, {}
        for kind in self.kinds:
            for id_, row in rows_of(self.api, manifest, kind).items():
                op = row.pop("op", "upsert")
                assert op in ("upsert", "entered_scope")
                self.ops[id_] = op
                self.rows[kind][id_] = row
        if self.watermark is not None:
            for id_, line in rows_of(self.api, manifest, "deletion").items():
                self.gone[id_] = line
                self.rows[line["kind"]].pop(id_, None)
        self.watermark = manifest["watermark"]

    def equals_a_whole_one(self) -> None:
        """Of kinds that may not be read any more it has nothing."""
        readable = self.readable()
        whole = exported(self.api, self.work, **self.body | {"kinds": readable}) if readable else {}
        for kind in self.kinds:
            found = rows_of(self.api, whole, kind) if kind in readable else {}
            assert self.rows[kind] == found, kind

    def readable(self) -> list[str]:
        refusal = self.api.post("/v1/exports", json=self.body)
        self.work()
        if refusal.status_code != 403:
            return self.kinds
        hidden = [int(error["pointer"].rpartition("/")[2]) for error in refusal.json()["errors"]]
        return [kind for place, kind in enumerate(self.kinds) if place not in hidden]


@pytest.fixture
def follower(officer: Api, work: Work) -> Follower:
    made = Follower(officer, work)
    made.follow()
    return made


def member(unit: int, name: str) -> Json:
    return {"full_name": name, "birth_date": "1990", "joined_on": "2015", "branch_id": unit}


class TestChanges:
    def test_nothing_new(self, follower: Follower) -> None:
        follower.follow()
        assert (follower.ops, follower.gone) == ({}, {})
        follower.equals_a_whole_one()

    def test_a_change_an_admission_and_a_departure(
        self, follower: Follower, officer: Api, unit_id: UnitIds
    ) -> None:
        changed, leaving = list(follower.rows["member"])[:2]
        done(officer.patch(f"/v1/members/{changed}", json={"address": "Khu 1"}))
        body = member(unit_id["phuongvi-1"], "Hà Thị Mới")
        new = done(officer.post("/v1/members", json=body))["id"]
        done(officer.post(f"/v1/members/{leaving}/departures", json={"reason": "moved_away"}))
        follower.follow()
        assert follower.ops.items() >= {changed: "upsert", new: "upsert"}.items()
        assert follower.gone[leaving]["op"] == "left_scope"
        follower.equals_a_whole_one()
        follower.follow()
        assert (follower.ops, follower.gone) == ({}, {})

    def test_who_comes_from_elsewhere_is_old_and_marked(
        self, follower: Follower, api: Api, unit_id: UnitIds
    ) -> None:
        province = api.as_("phutho")
        other = done(province.get(f"/v1/members?limit=1&unit={unit_id['tienluong']}"))["items"][0]
        mine = next(iter(follower.rows["member"]))
        for id_, to in ((other["id"], "phuongvi-1"), (mine, "tienluong-1")):
            body = {"to_branch_id": unit_id[to], "reason": "Chuyển nhà"}
            asked = done(province.post(f"/v1/members/{id_}/transfers", json=body))
            province.post(f"/v1/transfers/{asked['id']}/accept", json={})
        follower.follow()
        assert follower.ops[other["id"]] == "entered_scope"
        assert follower.gone[mine]["op"] == "left_scope"
        follower.equals_a_whole_one()

    def test_who_left_a_branch_after_it_went_elsewhere(
        self, follower: Follower, api: Api, unit_id: UnitIds
    ) -> None:
        branch = unit_id["phuongvi-1"]
        rows = follower.rows["member"]
        moved = next(id_ for id_ in rows if rows[id_]["branch_id"] == branch)
        done(move_unit(api, branch, unit_id["tienluong"]))
        body = {"to_branch_id": unit_id["tienluong-1"]}
        asked = api.as_("tienluong").post(f"/v1/members/{moved}/transfers", json=body)
        assert asked.status_code == 201, asked.text
        follower.follow()
        assert follower.gone[moved]["op"] == "left_scope"
        follower.equals_a_whole_one()

    def test_a_merge_says_what_was_kept(
        self, follower: Follower, officer: Api, unit_id: UnitIds
    ) -> None:
        body = member(unit_id["phuongvi-1"], "Mùa Thị Đôi")
        kept, lost = (done(officer.post("/v1/members", json=body))["id"] for _ in range(2))
        follower.follow()
        asked = {"other_id": lost, "reason": "Nhập hai lần"}
        done(officer.post(f"/v1/members/{kept}/merges", json=asked))
        follower.follow()
        assert (follower.gone[lost]["op"], follower.gone[lost]["kept_id"]) == ("delete", kept)
        follower.equals_a_whole_one()

    def test_an_erasure(self, follower: Follower, api: Api) -> None:
        somebody = next(iter(follower.rows["member"]))
        erase(api, somebody)
        follower.follow()
        assert follower.gone[somebody]["op"] == "delete"
        follower.equals_a_whole_one()


def test_a_unit_that_comes_and_goes(
    api: Api, database: Database, work: Work, unit_id: UnitIds
) -> None:
    """Rows are older than the watermark, and nothing of them has changed."""
    follower = Follower(api.as_("phuongvi-1"), work, kinds=["unit", "member"])
    follower.follow()
    before = {*follower.rows["member"]}
    end = granted(database, "phuongvi-1", unit_id["phuongvi-2"], "branch_head")
    follower.follow()
    came = {*follower.rows["member"]} - before
    assert came
    assert {follower.ops[id_] for id_ in came} == {"entered_scope"}
    follower.equals_a_whole_one()
    end(-1)
    follower.follow()
    assert {id_ for id_, line in follower.gone.items() if line["kind"] == "member"} == came
    assert {line["op"] for line in follower.gone.values()} == {"left_scope"}
    follower.equals_a_whole_one()


def test_who_leaves_the_unit_that_was_asked_for(
    api: Api, officer: Api, work: Work, unit_id: UnitIds
) -> None:
    """The officer still sees her, in another branch of the commune."""
    here = unit_id["phuongvi-1"]
    follower = Follower(officer, work, kinds=["member", "household"], unit=here)
    follower.follow()
    leaving, changed = list(follower.rows["member"])[:2]
    home = household(officer, here, leaving)
    follower.follow()
    assert home in follower.rows["household"]
    body = {"to_branch_id": unit_id["phuongvi-2"], "reason": "Chuyển nơi ở"}
    done(officer.post(f"/v1/members/{leaving}/transfers", json=body))
    done(officer.patch(f"/v1/members/{leaving}", json={"address": "Khu 2"}))
    done(officer.patch(f"/v1/members/{changed}", json={"address": "Khu 1"}))
    follower.follow()
    assert follower.ops.keys() & {leaving, changed} == {changed}
    assert follower.gone[leaving]["op"] == "left_scope"
    follower.equals_a_whole_one()


def test_nothing_of_a_unit_that_was_lost(
    api: Api, database: Database, work: Work, unit_id: UnitIds, officer: Api
) -> None:
    """Who came into it afterwards is not even named."""
    other = unit_id["phuongvi-2"]
    end = granted(database, "phuongvi-1", other, "branch_head")
    follower = Follower(api.as_("phuongvi-1"), work, kinds=["member"])
    follower.follow()
    had = {id_ for id_, row in follower.rows["member"].items() if row["branch_id"] == other}
    end(-1)
    new = done(officer.post("/v1/members", json=member(other, "Hà Thị Mới")))["id"]
    [come, *_] = done(officer.get(f"/v1/members?unit={unit_id['phuongvi-3']}&limit=1"))["items"]
    body = {"to_branch_id": other, "reason": "Chuyển nơi ở"}
    done(officer.post(f"/v1/members/{come['id']}/transfers", json=body))
    follower.follow()
    assert {*follower.gone} == had
    assert {new, come["id"]}.isdisjoint({*follower.gone, *follower.ops})
    follower.equals_a_whole_one()


@pytest.mark.parametrize(("who", "unit"), [("phuongvi-1", None), ("phuongvi", "phuongvi-2")])
def test_a_unit_above_that_goes_to_another_province(
    api: Api, database: Database, work: Work, unit_id: UnitIds, who: str, unit: str | None
) -> None:
    """Its change is in the log of the commune, and no record has one."""
    of_unit = {} if unit is None else {"unit": unit_id[unit]}
    follower = Follower(api.as_(who), work, kinds=["member"], **of_unit)
    follower.follow()
    province = to_another_province(api, database, unit_id, unit_id["phuongvi"])
    follower.follow()
    rows = follower.rows["member"]
    assert follower.ops == dict.fromkeys(rows, "upsert")
    assert {row["province_id"] for row in rows.values()} == {province}
    follower.equals_a_whole_one()


def test_bad_watermarks(officer: Api, head: Api, follower: Follower, unit_id: UnitIds) -> None:
    mark = follower.watermark
    assert mark is not None
    for since, api, reason in (
        (mark, head, "foreign"),
        (mark[:-3], officer, "unreadable"),
        ("x", officer, "unreadable"),
    ):
        answer = api.post("/v1/exports", json={"since": since})
        assert refused(answer, 409, "start_over")["reason"] == reason
    body: Json = {"since": mark, "kinds": ["member"]}
    pointed(officer.post("/v1/exports", json=body), "/kinds", "not_together")
    body = {"since": mark, "unit": unit_id["phuongvi-1"]}
    pointed(officer.post("/v1/exports", json=body), "/unit", "not_together")
    cursor = done(officer.get("/v1/sync/changes?kinds=unit"))["cursor"]
    answer = officer.post("/v1/exports", json={"since": cursor})
    assert refused(answer, 409, "start_over")["reason"] == "unreadable"
