"""Pulling: the whole slice at first, then what has changed, through one cursor."""

from itertools import islice

import pytest

from app.db import Database
from app.models.sync.pull import LEAST_BYTES
from app.services.kernel.manifest import manifest
from tests.helpers.answers import Json, UnitIds, pointed, refused
from tests.helpers.client import Api, counted
from tests.helpers.phone import Phone, listed
from tests.identity.devices import enrolled
from tests.kernel.changes import done


def without(rows: dict[str, Json], *fields: str) -> dict[str, Json]:
    return {
        key: {name: value for name, value in row.items() if name not in fields}
        for key, row in rows.items()
    }


def members_of(api: Api) -> dict[str, Json]:
    return without(listed(api, "/v1/members", restricted="false"), "not_dated")


def test_who_leaves_the_unit_that_a_phone_has(officer: Api, unit_id: UnitIds) -> None:
    """The officer still sees her, in another branch of the commune."""
    phone = Phone(officer, unit=unit_id["phuongvi-1"], kinds="member")
    phone.pull()
    leaving, changed = list(phone.rows["member"])[:2]
    body = {"to_branch_id": unit_id["phuongvi-2"], "reason": "Chuyển nơi ở"}
    done(officer.post(f"/v1/members/{leaving}/transfers", json=body))
    done(officer.patch(f"/v1/members/{changed}", json={"address": "Khu 1"}))
    items = phone.pull()
    assert {item["id"]: item["op"] for item in items} == {
        leaving: "left_scope",
        changed: "upsert",
    }
    whole = Phone(officer, unit=unit_id["phuongvi-1"], kinds="member")
    whole.pull()
    assert phone.slice == whole.slice


class TestFirst:
    @pytest.mark.parametrize("username", ["phuongvi-1", "phuongvi", "camkhe", "phutho", "auditor"])
    def test_it_is_what_the_lists_say(self, api: Api, username: str) -> None:
        mine = api.as_(username)
        phone = Phone(mine)
        phone.pull()
        assert phone.slice["member"] == members_of(mine)
        units = listed(mine, "/v1/units", include_closed="true")
        assert phone.slice["unit"] == without(units, "member_count")

    def test_parents_come_first(self, head: Api) -> None:
        kinds = [item["kind"] for item in Phone(head).pull()]
        assert kinds == sorted(kinds, key=list(manifest().on_phones).index)

    def test_pages_are_bounded_and_agree(self, head: Api) -> None:
        whole, paged = Phone(head), Phone(head)
        whole.pull()
        paged.max_bytes = 10_000
        paged.pull()
        assert len(paged.pages) > 3
        assert paged.slice == whole.slice
        assert len(whole.pages) == 1

    def test_the_same_cursor_gives_the_same_again(self, head: Api) -> None:
        phone = Phone(head)
        phone.max_bytes = 10_000
        phone.take(phone.ask().json())
        assert phone.ask().json()["items"] == phone.ask().json()["items"]

    def test_chosen_kinds(self, head: Api) -> None:
        phone = Phone(head, kinds="unit")
        phone.pull()
        assert set(phone.slice) == {"unit"}
        assert phone.pull() == []


class TestChanges:
    def test_nothing_new(self, head: Api) -> None:
        phone = Phone(head)
        phone.pull()
        assert phone.pull() == []

    def test_a_change_and_an_admission(self, head: Api, officer: Api, unit_id: UnitIds) -> None:
        phone = Phone(head)
        phone.pull()
        somebody = next(iter(phone.rows["member"]))
        done(officer.patch(f"/v1/members/{somebody}", json={"address": "Khu 1, nhà mới"}))
        new = done(
            officer.post(
                "/v1/members",
                json={
                    "full_name": "Hà Thị Mới",
                    "birth_date": "1990",
                    "joined_on": "2015",
                    "branch_id": unit_id["phuongvi-1"],
                },
            )
        )
        items = phone.pull()
        assert {(item["op"], item["id"]) for item in items if item["kind"] == "member"} == {
            ("upsert", somebody),
            ("upsert", new["id"]),
        }
        assert phone.slice["member"] == members_of(head)

    def test_changes_between_pages_are_not_lost(self, head: Api, officer: Api) -> None:
        phone = Phone(head)
        phone.max_bytes = 10_000
        ids = iter(members_of(head))

        def rename() -> None:
            done(officer.patch(f"/v1/members/{next(ids)}", json={"address": "Nơi khác"}))

        phone.pull(between=rename)
        assert phone.slice["member"] == members_of(head)

    def test_a_small_page_costs_what_it_holds(self, officer: Api, database: Database) -> None:
        phone = Phone(officer)
        phone.pull()
        for somebody in islice(phone.rows["member"], 60):
            done(officer.patch(f"/v1/members/{somebody}", json={"address": "Nơi khác"}))
        with counted(database) as whole:
            assert phone.ask().json()["checkpoint"]
        phone.max_bytes = LEAST_BYTES
        with counted(database) as small:
            assert not phone.ask().json()["checkpoint"]
        assert len(small) < 2 * len(whole)
        phone.pull()
        assert phone.slice["member"] == members_of(officer)

    def test_others_are_not_told(self, head: Api, api: Api) -> None:
        phone = Phone(head)
        phone.pull()
        other = api.as_("tienluong")
        somebody = next(iter(members_of(other)))
        done(other.patch(f"/v1/members/{somebody}", json={"address": "Nơi khác"}))
        assert phone.pull() == []


class TestBadInput:
    def test_a_cursor_that_cannot_be_read(self, head: Api) -> None:
        phone = Phone(head)
        phone.pull()
        assert phone.cursor is not None
        for cursor in ("x", phone.cursor[:-4], phone.cursor[:-1] + "é", "A" * 300, ""):
            problem = refused(
                head.get("/v1/sync/changes", params={"cursor": cursor}), 409, "start_over"
            )
            assert problem["reason"] == "unreadable"

    def test_the_cursor_of_another_account(self, head: Api, officer: Api) -> None:
        phone = Phone(head)
        phone.pull()
        answer = officer.get("/v1/sync/changes", params={"cursor": phone.cursor})
        assert refused(answer, 409, "start_over")["reason"] == "foreign"

    def test_the_cursor_of_another_device(self, api: Api) -> None:
        """Of the same account: what one phone has says nothing of the other."""
        one, other = enrolled(api, "phuongvi-1"), enrolled(api, "phuongvi-1")
        phone = Phone(one.api)
        phone.pull()
        answer = other.api.get("/v1/sync/changes", params={"cursor": phone.cursor})
        assert refused(answer, 409, "start_over")["reason"] == "other_device"
        assert phone.pull() == []

    def test_other_kinds_than_the_cursor_has(self, head: Api, unit_id: UnitIds) -> None:
        phone = Phone(head, kinds="unit")
        phone.pull()
        path = f"/v1/sync/changes?cursor={phone.cursor}"
        pointed(head.get(f"{path}&kinds=member"), "/kinds", "not_together")
        pointed(head.get(f"{path}&unit={unit_id['phuongvi-1']}"), "/unit", "not_together")
        assert done(head.get(f"{path}&kinds=unit"))["checkpoint"] is True

    @pytest.mark.parametrize("size", ["0", "-1", "9999", "1000000000000", "x", "1e6"])
    def test_sizes(self, head: Api, size: str) -> None:
        answer = head.get("/v1/sync/changes", params={"max_bytes": size})
        assert refused(answer, 422, "validation_failed")["errors"][0]["pointer"] == "/max_bytes"

    def test_unknown_kinds(self, head: Api) -> None:
        answer = head.get("/v1/sync/changes", params={"kinds": "member,secrets"})
        assert refused(answer, 422, "validation_failed")["errors"][0]["pointer"] == "/kinds/1"

    def test_kinds_without_the_right(self, api: Api) -> None:
        answer = api.as_("admin").get("/v1/sync/changes", params={"kinds": "member"})
        assert refused(answer, 403, "forbidden")["required_right"] == "members:read"

    def test_a_unit_out_of_scope(self, head: Api, unit_id: UnitIds) -> None:
        answer = head.get("/v1/sync/changes", params={"unit": unit_id["tienluong"]})
        refused(answer, 422, "validation_failed")


class TestPlan:
    def test_it_counts_what_comes(self, head: Api) -> None:
        plan = done(head.get("/v1/sync/plan"))
        phone = Phone(head)
        phone.pull()
        counts = {kind["kind"]: kind["rows"] for kind in plan["kinds"] if kind["rows"]}
        assert counts == {kind: len(rows) for kind, rows in phone.slice.items()}
        assert [unit["level"] for unit in plan["units"]] == ["branch"]
        assert plan["rows"] == sum(counts.values())
