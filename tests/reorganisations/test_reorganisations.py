"""Reorganisations over HTTP: drafted by one officer, seen, applied by another, taken back."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlmodel import col

from app.clock import local_today
from app.db import Database
from app.models.kernel.access import Grant
from app.models.kernel.changes import ChangeSource
from app.models.reorganisations.reorganisations import Reorganisation
from app.services.kernel import changes, due, following
from app.services.reorganisations import scheduling
from tests.helpers.answers import Json, UnitIds, pointed, refused
from tests.helpers.cadres import done, made
from tests.helpers.client import Api, writing
from tests.helpers.tables import changed, everything
from tests.units.units import acting, admitted, ago, moved, opened, people, unit_row

OWN = {"reorganisation", "reorganised_unit", "notification"}


class World:
    """The district, whose two communes are to be one."""

    def __init__(self, api: Api, database: Database, unit_id: UnitIds) -> None:
        self.database, self.id = database, unit_id
        self.drafter, self.decider = api.as_("camkhe"), api.as_("phutho")
        self.second = api.as_("phutho-2")
        self.old = [unit_id["phuongvi"], unit_id["tienluong"]]

    def merger(self, **body: Any) -> Json:
        opening: Json = {"op": "open", "key": "new", "level": "commune", "name": "Xã Tiên Lương"}
        opening |= {"parent_id": self.id["camkhe"], "code": "08344", "area_type": "rural"}
        merge = {"op": "merge", "unit_ids": self.old, "into_id": "new"}
        draft: Json = {"effective_on": ago(0), "decree": "1676/NQ-UBTVQH15"}
        return draft | {"operations": [opening, merge]} | body

    def draft(self, **body: Any) -> Json:
        return made(self.drafter.post("/v1/reorganisations", json=self.merger(**body)))

    def preview(self, draft: Json) -> Json:
        return done(self.decider.get(f"/v1/reorganisations/{draft['id']}/preview"))

    def apply(self, draft: Json) -> Json:
        digest = {"digest": self.preview(draft)["digest"]}
        return done(self.decider.post(f"/v1/reorganisations/{draft['id']}/apply", json=digest))

    def revert(self, draft: Json) -> Any:
        return self.decider.post(f"/v1/reorganisations/{draft['id']}/revert", json={})


@pytest.fixture
def world(api: Api, database: Database, unit_id: UnitIds) -> World:
    return World(api, database, unit_id)


def on_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty days from now."""
    for module in ("app.services.reorganisations.scheduling", "app.services.units.tree"):
        monkeypatch.setattr(f"{module}.local_today", lambda: local_today() + timedelta(days=30))


class TestMerger:
    def test_the_branches_and_their_people_are_in_the_new_commune(
        self, world: World, database: Database
    ) -> None:
        draft = world.draft()
        assert (draft["state"], draft["unit_id"]) == ("draft", world.id["camkhe"])
        seen = world.preview(draft)
        assert seen["problems"] == []
        before = {t["unit"]: (t["was"], t["becomes"]) for t in seen["totals"]}
        was = sum(before[unit][0] for unit in world.old)
        assert before["new"] == (0, was)
        assert [before[unit][1] for unit in world.old] == [0, 0]
        assert before[world.id["camkhe"]] == (was, was)
        assert seen["consequences"]["members"] == was > 0
        assert seen["consequences"]["posts_ending"] > 0

        applied = world.apply(draft)
        new = applied["opened"]["new"]
        assert applied["state"] == "applied"
        found = done(world.drafter.get(f"/v1/units/{new}"))
        assert (found["member_count"], found["code"]) == (was, "08344")
        assert [each["unit"]["id"] for each in found["predecessors"]] == world.old
        assert {each["decree"] for each in found["predecessors"]} == {"1676/NQ-UBTVQH15"}
        row = unit_row(database, world.id["phuongvi-1"])
        assert (row.parent_id, row.commune_id) == (new, new)
        assert {each.commune_id for each in people(database, row.id)} == {new}
        for old in world.old:
            assert unit_row(database, old).closed_on == local_today() - timedelta(days=1)
            then = done(world.drafter.get(f"/v1/units?under={old}&as_of={ago(1)}"))
            assert len(then["items"]) == 4
        now = done(world.drafter.get(f"/v1/units?under={new}&level=branch"))
        assert len(now["items"]) == 8

    def test_one_name_twice_is_told_with_names_that_differ(self, world: World) -> None:
        clashes = world.preview(world.draft())["name_clashes"]
        assert sorted(each["name"] for each in clashes) == [f"Chi hội khu {n}" for n in range(1, 5)]
        [first] = [each for each in clashes if each["name"] == "Chi hội khu 1"]
        assert first["proposed"] == {
            str(world.id["phuongvi-1"]): "Chi hội khu 1 (Xã Phượng Vĩ)",
            str(world.id["tienluong-1"]): "Chi hội khu 1 (Xã Tiên Lương)",
        }

    def test_taken_back_everything_is_as_it_was(self, world: World, database: Database) -> None:
        before = everything(database, *OWN)
        draft = world.draft()
        world.apply(draft)
        assert changed(before, everything(database, *OWN)).keys() >= {"unit", "member", "unit_edge"}
        assert done(world.revert(draft))["state"] == "reverted"
        assert changed(before, everything(database, *OWN)) == {}
        assert done(world.revert(draft))["state"] == "reverted"
        refused(world.revert(world.draft()), 409, "reorganisation_state")

    def test_not_taken_back_once_something_depends_on_it(
        self, world: World, database: Database
    ) -> None:
        draft = world.draft()
        new = world.apply(draft)["opened"]["new"]
        branch = opened(world.decider, "branch", new, "Chi hội khu 9", opened_on=ago(0))
        before = everything(database)
        assert refused(world.revert(draft), 409, "opened_unit_used")["kind"] == "unit"
        assert everything(database) == before
        own = done(world.decider.get(f"/v1/reorganisations?unit={branch}"))["items"]
        done(world.revert(own[0]))
        renamed = {"name": "Chi hội Đồi", "effective_on": ago(0)}
        done(world.drafter.patch(f"/v1/units/{world.id['phuongvi-1']}", json=renamed))
        later = refused(world.revert(draft), 409, "reorganised_again")["reorganisation_id"]
        done(world.revert({"id": later}))
        assert done(world.revert(draft))["state"] == "reverted"
        refused(world.decider.get(f"/v1/units/{new}"), 404, "not_found")

    def test_not_taken_back_once_what_it_ended_is_gone(
        self, world: World, database: Database
    ) -> None:
        draft = world.draft()
        world.apply(draft)
        with writing(database) as session:
            session.execute(sa.delete(Grant).where(col(Grant.unit_id).in_(world.old)))
        before = everything(database)
        assert refused(world.revert(draft), 409, "ended_row_changed")["kind"] == "grant"
        assert everything(database) == before


class TestSplit:
    def test_the_lineage_has_the_share_of_each_part(self, world: World, api: Api) -> None:
        commune = world.id["phuongvi"]
        halves = [
            {"op": "open", "key": key, "level": "commune", "name": f"Xã {key}"}
            | {"parent_id": world.id["camkhe"]}
            for key in ("a", "b")
        ]
        split: Json = {"op": "split", "unit_id": commune, "into_ids": ["a", "b"]}
        split |= {"assigned": [{"unit_id": world.id["phuongvi-1"], "to_id": "b"}]}
        people = {
            n: done(world.drafter.get(f"/v1/units/{world.id[f'phuongvi-{n}']}"))["member_count"]
            for n in range(1, 5)
        }
        draft = world.draft(operations=[*halves, split])
        assert [each["code"] for each in world.preview(draft)["problems"]] == ["units_unassigned"]
        path = f"/v1/reorganisations/{draft['id']}"
        whole = {"operations": [*halves, split | {"default_id": "a"}]}
        done(world.drafter.patch(path, json=whole))
        opened_ = world.apply(draft)["opened"]
        steps = done(world.drafter.get(f"/v1/units/{commune}/lineage"))["successors"]
        share = round(people[1] / sum(people.values()), 4)
        assert [(each["unit"]["id"], each["share"]) for each in steps] == [
            (opened_["a"], pytest.approx(1 - share, abs=0.0001)),
            (opened_["b"], share),
        ]
        assert done(world.drafter.get(f"/v1/units/{opened_['b']}"))["member_count"] == people[1]
        cannot_count = done(api.as_("admin").get(f"/v1/units/{commune}/lineage"))
        assert [each["share"] for each in cannot_count["successors"]] == [None, None]


class TestLevelAndCodes:
    def test_the_district_ends_and_two_communes_exchange_their_codes(
        self, world: World, database: Database
    ) -> None:
        before = everything(database, *OWN)
        district, province = world.id["camkhe"], world.id["phutho"]
        codes = [unit_row(database, unit).code for unit in world.old]
        operations: list[Json] = [
            {"op": "change_code", "unit_id": unit, "code": code}
            for unit, code in zip(world.old, reversed(codes), strict=True)
        ]
        operations += [
            {"op": "change_area", "unit_id": world.old[0], "area_type": "urban"},
            {"op": "retire_level", "level": "district", "under_id": province},
        ]
        body = world.merger(operations=operations)
        draft = made(world.decider.post("/v1/reorganisations", json=body))
        assert draft["unit_id"] == province
        refused(world.drafter.get(f"/v1/reorganisations/{draft['id']}"), 404, "not_found")
        world.decider, second = world.second, world.decider
        seen = world.preview(draft)
        assert (seen["problems"], seen["consequences"]["grants_ending"] > 0) == ([], True)
        assert {
            each["was"] == each["becomes"] for each in seen["totals"] if each["unit"] == province
        } == {True}
        world.apply(draft)
        listed = done(second.get(f"/v1/units?parent={province}&level=commune"))["items"]
        assert sorted(each["id"] for each in listed) == sorted(world.old)
        assert [unit_row(database, unit).code for unit in world.old] == codes[::-1]
        for code, unit in zip(codes, world.old, strict=True):
            then = done(second.get(f"/v1/units?code={code}&as_of={ago(1)}"))["items"]
            assert [each["id"] for each in then] == [unit]
        then = done(second.get(f"/v1/units/{world.old[0]}?as_of={ago(1)}"))
        now = done(second.get(f"/v1/units/{world.old[0]}"))
        assert (then["area_type"], then["parent_id"]) == ("rural", district)
        assert (now["area_type"], now["parent_id"]) == ("urban", province)
        refused(world.drafter.get(f"/v1/units/{world.old[0]}"), 403, "forbidden")
        done(world.revert(draft))
        assert changed(before, everything(database, *OWN)) == {}


class TestTwoPersons:
    def test_who_drafted_it_does_not_decide(self, world: World, database: Database) -> None:
        draft, before = world.draft(), everything(database)
        digest = {"digest": world.preview(draft)["digest"]}
        path = f"/v1/reorganisations/{draft['id']}/apply"
        refused(world.drafter.post(path, json=digest), 409, "second_person_needed")
        assert everything(database) == before

    def test_out_of_scope_is_not_found(self, world: World, api: Api) -> None:
        draft, commune = world.draft(), api.as_("phuongvi")
        refused(commune.get(f"/v1/reorganisations/{draft['id']}"), 404, "not_found")
        listed = done(commune.get("/v1/reorganisations"))["items"]
        assert draft["id"] not in [each["id"] for each in listed]
        other = {"op": "rename", "unit_id": world.id["tienluong"], "name": "Xã"}
        own = {"op": "rename", "unit_id": world.id["phuongvi"], "name": "Xã"}
        body = {"effective_on": ago(0), "operations": [own, other]}
        answer = commune.post("/v1/reorganisations", json=body)
        pointed(answer, "/operations/1/unit_id", "unit_unknown")
        of_nothing = {"op": "merge", "unit_ids": ["a"], "into_id": "b"}
        body = {"effective_on": ago(0), "operations": [of_nothing]}
        answer = commune.post("/v1/reorganisations", json=body)
        pointers = [
            error["pointer"] for error in refused(answer, 422, "validation_failed")["errors"]
        ]
        assert pointers == ["/operations/0/unit_ids/0", "/operations/0/into_id"]
        head = api.as_("phuongvi-1")
        mine = {"op": "rename", "unit_id": world.id["phuongvi-1"], "name": "Khu"}
        answer = head.post("/v1/reorganisations", json=body | {"operations": [mine]})
        assert refused(answer, 403, "forbidden")["required_right"] == "units:write"

    def test_the_decider_is_told(self, world: World) -> None:
        draft = world.draft()
        notices = done(world.decider.get("/v1/me/notifications"))["items"]
        assert [
            each["entity_id"] for each in notices if each["kind"] == "reorganisation_waits"
        ] == [draft["id"]]

    def test_one_act_tells_those_concerned_and_what_is_to_decide(
        self, world: World, api: Api
    ) -> None:
        head, officer = api.as_("phuongvi-1"), api.as_("phuongvi")
        name = done(officer.get(f"/v1/units/{world.id['phuongvi-2']}"))["name"]
        path = f"/v1/units/{world.id['phuongvi-1']}"
        done(world.decider.patch(path, json={"phone": "02103888999"}))
        assert kinds(head) == kinds(officer) == []
        done(world.decider.patch(path, json={"name": name, "effective_on": ago(0)}))
        [notice] = done(head.get("/v1/me/notifications"))["items"]
        assert (notice["kind"], notice["unit"]["id"]) == (
            "unit_reorganised",
            world.id["phuongvi-1"],
        )
        assert notice["text"] is None
        [notice] = done(officer.get("/v1/me/notifications"))["items"]
        assert notice["text"] == "Việc cần quyết định: đặt lại tên cho 1 đơn vị trùng tên."
        english = {"Accept-Language": "en"}
        [notice] = done(officer.get("/v1/me/notifications", headers=english))["items"]
        assert notice["text"] == "To decide: rename 1 unit(s) of one name."
        assert kinds(world.decider) == []

    def test_those_concerned_are_told_when_it_is_done(self, world: World, api: Api) -> None:
        draft = world.draft()
        head, other = api.as_("phuongvi-1"), api.as_("admin")
        assert kinds(head) == []
        world.apply(draft)
        [notice] = done(head.get("/v1/me/notifications"))["items"]
        assert (notice["kind"], notice["entity_id"]) == ("unit_reorganised", draft["id"])
        assert notice["unit"]["id"] == world.id["phuongvi-1"]
        assert done(head.get(notice["link"]))["ancestors"][-1]["name"] == "Xã Tiên Lương"
        assert "unit_reorganised" not in kinds(other)
        done(world.revert(draft))
        assert kinds(head) == []


def kinds(api: Api) -> list[str]:
    return [each["kind"] for each in done(api.get("/v1/me/notifications"))["items"]]


class TestDraft:
    def test_sent_again_it_is_the_same(self, world: World) -> None:
        body = world.merger(id="019a0000-0000-7000-8000-000000000001")
        first = made(world.drafter.post("/v1/reorganisations", json=body))
        again = world.drafter.post("/v1/reorganisations", json=body)
        assert (again.status_code, again.json()) == (200, first)
        other = world.drafter.post("/v1/reorganisations", json=body | {"note": "Khác"})
        refused(other, 409, "id_taken")

    def test_what_has_changed_since_the_preview_is_refused(
        self, world: World, database: Database
    ) -> None:
        draft = world.draft()
        digest = {"digest": world.preview(draft)["digest"]}
        moved(world.drafter, world.id["phuongvi-4"], world.id["tienluong"], ago(1))
        before = everything(database)
        path = f"/v1/reorganisations/{draft['id']}/apply"
        refused(world.decider.post(path, json=digest), 409, "preview_stale")
        assert everything(database) == before
        assert world.apply(draft)["state"] == "applied"

    def test_a_trouble_names_its_operation(self, world: World) -> None:
        close = {"op": "close", "unit_id": world.id["phuongvi-1"]}
        draft = world.draft(operations=[*world.merger()["operations"], close])
        [trouble] = world.preview(draft)["problems"]
        assert (trouble["operation"], trouble["code"]) == (2, "unit_in_use")
        path = f"/v1/reorganisations/{draft['id']}/apply"
        answer = world.decider.post(path, json={"digest": "x"})
        assert refused(answer, 409, "reorganisation_prevented")["problems"] == [trouble]

    def test_changed_and_withdrawn(self, world: World) -> None:
        draft = world.draft()
        path = f"/v1/reorganisations/{draft['id']}"
        noted = {"note": "Theo nghị quyết", "operations": draft["operations"]}
        changed_ = done(world.decider.patch(path, json=noted))
        assert (changed_["note"], changed_["drafted_by"]) == (
            "Theo nghị quyết",
            draft["drafted_by"],
        )
        for _ in range(2):
            assert done(world.drafter.post(f"{path}/withdraw", json={}))["state"] == "withdrawn"
        refused(world.decider.patch(path, json={"note": "x"}), 409, "reorganisation_state")
        overlaps = world.preview(world.draft())["overlaps"]
        assert draft["id"] not in overlaps

    @pytest.mark.parametrize("changed_", ["effective_on", "decree", "operations"])
    def test_who_changes_what_is_done_does_not_decide(self, world: World, changed_: str) -> None:
        """A note is no part of it: who writes one still decides."""
        draft = world.draft()
        path = f"/v1/reorganisations/{draft['id']}"
        done(world.decider.patch(path, json={"note": "Đã xem"}))
        rename = {"op": "rename", "unit_id": world.id["phuongvi-1"], "name": "Chi hội Đồi"}
        values = {
            "effective_on": ago(1),
            "decree": "Số 9/NQ",
            "operations": [*draft["operations"], rename],
        }
        done(world.decider.patch(path, json={changed_: values[changed_]}))
        digest = {"digest": world.preview(draft)["digest"]}
        refused(world.decider.post(f"{path}/apply", json=digest), 409, "second_person_needed")
        assert done(world.drafter.post(f"{path}/apply", json=digest))["state"] == "applied"

    def test_two_drafts_about_one_unit_know_of_each_other(self, world: World) -> None:
        first, second = world.draft(), world.draft(note="Phương án 2")
        assert world.preview(first)["overlaps"] == [second["id"]]


@pytest.mark.race
def test_it_waits_for_a_member_not_yet_committed(world: World, database: Database) -> None:
    empty = opened(world.drafter, "branch", world.id["phuongvi"], "Chi hội khu 5")
    draft = world.draft(operations=[{"op": "close", "unit_id": empty}])
    digest = {"digest": world.preview(draft)["digest"]}
    path, actor = f"/v1/reorganisations/{draft['id']}/apply", acting(database, "camkhe")
    with ThreadPoolExecutor(1) as threads:
        with writing(database) as session:
            admitted(session, actor, empty)
            applying = threads.submit(world.decider.post, path, json=digest)
            with pytest.raises(TimeoutError):
                applying.result(timeout=0.2)
        answer = applying.result()
    [problem] = refused(answer, 409, "reorganisation_prevented")["problems"]
    assert (problem["operation"], problem["code"]) == (0, "unit_in_use")
    assert unit_row(database, empty).closed_on is None


class TestToCome:
    def test_it_is_done_by_itself_on_its_day(
        self, world: World, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        draft = world.draft(effective_on=ago(-30))
        assert world.apply(draft)["state"] == "scheduled"
        assert world.preview(draft)["problems"] == []
        assert unit_row(database, world.old[0]).closed_on is None
        other = world.draft()
        assert {each["code"] for each in world.preview(other)["problems"]} == {
            "unit_reorganised_later"
        }
        assert scheduling.apply_due(database) == 0
        on_the_day(monkeypatch)
        assert scheduling.apply_due(database) == 1
        assert unit_row(database, world.old[0]).closed_on == local_today() + timedelta(days=29)
        assert scheduling.apply_due(database) == 0

    def test_after_a_restore_it_asks_first(
        self, world: World, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It may have been withdrawn in the days that were lost."""
        world.apply(world.draft(effective_on=ago(-30)))
        on_the_day(monkeypatch)
        with writing(database) as session:
            following.next_epoch(session).began_at += timedelta(days=30)
        assert scheduling.apply_due(database) == 0
        with writing(database) as session:
            assert due.waiting(session, [scheduling.DUE]) == {"reorganisation": 1}
            assert due.go_on(session, [scheduling.DUE], "the tests", [])
        assert scheduling.apply_due(database) == 1

    def test_what_can_no_longer_be_done_is_a_draft_again(
        self, world: World, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        closing = world.merger()["operations"]
        draft = world.draft(effective_on=ago(-30), operations=closing)
        world.apply(draft)
        opened(world.decider, "commune", world.id["camkhe"], "Xã Trùng Mã", code="08999")
        with writing(database) as session:
            changes.attribute(session, changes.Origin(ChangeSource.cli))
            row = session.get_one(Reorganisation, UUID(draft["id"]))
            row.operations = [closing[0] | {"code": "08999"}, closing[1]]
        on_the_day(monkeypatch)
        assert scheduling.apply_due(database) == 0
        path = f"/v1/reorganisations/{draft['id']}"
        found = done(world.decider.get(path))
        assert (found["state"], found["returned_because"]) == ("draft", "prevented")
        assert [each["code"] for each in world.preview(draft)["problems"]] == ["code_taken"]
        assert unit_row(database, world.old[0]).closed_on is None
