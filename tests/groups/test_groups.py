"""Groups beside branches: opened as units, joined and left by members, counted two ways."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import pytest
from httpx2 import Response
from sqlmodel import col, func, select

from app.clock import local_today
from app.db import Database
from app.models.groups.groups import Participation
from app.models.kernel.changes import ChangeSource
from app.models.kernel.units import Unit
from app.models.members.spells import Left
from app.services.groups import groups
from app.services.kernel import changes
from app.services.members.following import Ending
from tests.helpers.answers import Json, pointed, refused
from tests.helpers.client import Api, as_written, counted, writing

Ids = dict[str, int]
OPENED = "2020-01-01"


def ago(days: int) -> str:
    return (local_today() - timedelta(days=days)).isoformat()


def opened(api: Api, parent_id: int, name: str, kind: str = "team", **body: Any) -> int:
    body = {"level": "group", "group_kind": kind, "parent_id": parent_id, "name": name} | body
    answer = api.post("/v1/units", json={"opened_on": OPENED} | body)
    assert answer.status_code == 201, answer.text
    assert answer.json()["group_kind"] == kind
    unit_id: int = answer.json()["id"]
    return unit_id


def joins(api: Api, group_id: int, member_id: str, **body: Any) -> Response:
    return api.post(f"/v1/groups/{group_id}/participations", json={"member_id": member_id} | body)


def joined(api: Api, group_id: int, member_id: str, **body: Any) -> Json:
    answer = joins(api, group_id, member_id, **body)
    assert answer.status_code == 201, answer.text
    found: Json = answer.json()
    return found


def stored(database: Database) -> list[tuple[int, str, date, date | None]]:
    with writing(database) as session:
        rows = session.exec(select(Participation).order_by(col(Participation.id))).all()
    return [(row.group_id, str(row.member_id), row.valid_from, row.valid_to) for row in rows]


def members_of(api: Api, count: int) -> list[str]:
    return [item["id"] for item in api.get(f"/v1/members?limit={count}").json()["items"]]


def people_in(api: Api, group_id: int, query: str = "") -> set[str]:
    items = api.get(f"/v1/groups/{group_id}/participations{query}").json()["items"]
    return {item["member_id"] for item in items}


@pytest.fixture
def team(officer: Api, unit_id: Ids) -> int:
    return opened(officer, unit_id["phuongvi-1"], "Tổ phụ nữ số 1")


@pytest.fixture
def club(officer: Api, unit_id: Ids) -> int:
    return opened(officer, unit_id["phuongvi"], "Câu lạc bộ Gia đình 5 không 3 sạch", "club")


class TestOpenGroup:
    def test_a_group_says_what_kind_it_is(
        self, officer: Api, unit_id: Ids, database: Database
    ) -> None:
        body = {"level": "group", "name": "Tổ 1", "parent_id": unit_id["phuongvi-1"]}
        pointed(
            officer.post("/v1/units", json=body | {"opened_on": OPENED}), "/group_kind", "required"
        )
        with writing(database) as session:
            assert session.exec(select(Unit).where(col(Unit.name) == "Tổ 1")).all() == []

    def test_nothing_but_a_group_has_a_kind(self, officer: Api, unit_id: Ids) -> None:
        body = {"level": "branch", "name": "Chi hội khu 9", "parent_id": unit_id["phuongvi"]}
        answer = officer.post("/v1/units", json=body | {"opened_on": OPENED, "group_kind": "team"})
        pointed(answer, "/group_kind", "group_kind_without_group")

    def test_a_team_stands_in_a_branch(self, officer: Api, unit_id: Ids) -> None:
        body = {"level": "group", "group_kind": "team", "name": "Tổ 1", "opened_on": OPENED}
        answer = officer.post("/v1/units", json=body | {"parent_id": unit_id["phuongvi"]})
        pointed(answer, "/parent_id", "unit_level_wrong")

    def test_the_kind_shows_on_the_unit(self, officer: Api, team: int, unit_id: Ids) -> None:
        assert officer.get(f"/v1/units/{team}").json()["group_kind"] == "team"
        assert officer.get(f"/v1/units/{unit_id['phuongvi-1']}").json()["group_kind"] is None


class TestListGroups:
    def test_shows_each_with_its_parent_its_people_and_its_head(
        self, officer: Api, team: int, unit_id: Ids
    ) -> None:
        branch = unit_id["phuongvi-1"]
        mine = officer.get(f"/v1/members?branch={branch}&limit=2").json()["items"]
        for member in mine:
            joined(officer, team, member["id"])
        appointed = officer.post(
            "/v1/appointments",
            json={
                "member_id": mine[0]["id"],
                "unit_id": team,
                "post": "team_head",
                "basis": "elected",
            },
        )
        assert appointed.status_code == 201, appointed.text
        [item] = officer.get("/v1/groups").json()["items"]
        parent = officer.get(f"/v1/units/{branch}").json()
        assert item == {
            "id": team,
            "name": "Tổ phụ nữ số 1",
            "kind": "team",
            "parent": {"id": branch, "level": "branch", "name": parent["name"]},
            "opened_on": OPENED,
            "closed_on": None,
            "people": 2,
            "head": {"member_id": mine[0]["id"], "full_name": mine[0]["full_name"]},
            "revision": item["revision"],
        }

    def test_each_sees_the_groups_of_her_scope(
        self, api: Api, team: int, club: int, head: Api, officer: Api
    ) -> None:
        def seen(who: Api) -> set[int]:
            return {item["id"] for item in who.get("/v1/groups").json()["items"]}

        assert seen(officer) == {team, club}
        assert seen(head) == {team}  # the club stands in the commune
        assert seen(api.as_("phuongvi-2")) == set()
        assert seen(api.as_("tienluong")) == set()
        assert seen(api.as_("auditor")) == {team, club}
        for nobody in ("admin", "member"):
            answer = refused(api.as_(nobody).get("/v1/groups"), 403, "forbidden")
            assert answer["required_right"] == "members:read"

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("kind=club", {"club"}),
            ("kind=team", {"team"}),
            ("kind=other", set()),
            ("q=phu nu", {"team"}),
            ("q=CÂU lạc", {"club"}),
            ("q=câu phụ", set()),
            ("as_of=2019-12-31", set()),
            ("as_of=2020-01-01", {"team", "club"}),
        ],
    )
    def test_filters(self, officer: Api, team: int, club: int, query: str, found: set[str]) -> None:
        names = {team: "team", club: "club"}
        items = officer.get(f"/v1/groups?{query}").json()["items"]
        assert {names[item["id"]] for item in items} == found

    def test_filters_by_a_unit_and_all_below_it(
        self, officer: Api, team: int, club: int, unit_id: Ids
    ) -> None:
        def found(unit: int) -> set[int]:
            items = officer.get(f"/v1/groups?unit={unit}").json()["items"]
            return {item["id"] for item in items}

        assert found(unit_id["phuongvi"]) == {team, club}
        assert found(unit_id["phuongvi-1"]) == {team}
        assert found(unit_id["phuongvi-2"]) == set()
        assert found(team) == {team}
        pointed(officer.get(f"/v1/groups?unit={unit_id['tienluong']}"), "/unit", "unit_unknown")

    def test_pages_by_name_and_asks_the_same_number_of_questions(
        self, officer: Api, unit_id: Ids, database: Database
    ) -> None:
        for number in range(10):
            opened(officer, unit_id["phuongvi-1"], f"Tổ {number}")
        with counted(database) as few:
            officer.get("/v1/groups?limit=1")
        with counted(database) as many:
            listed = officer.get("/v1/groups").json()["items"]
        assert [item["name"] for item in listed] == [f"Tổ {number}" for number in range(10)]
        assert len(many) == len(few)
        # The token's account and its grants; the groups, their people, their heads.
        assert len([s for s in many if "unit" in s and "access_grant" not in s]) <= 4
        first = officer.get("/v1/groups?limit=4").json()
        rest = officer.get(f"/v1/groups?limit=10&cursor={first['next_cursor']}").json()
        assert first["items"] + rest["items"] == listed

    def test_a_group_of_the_past_has_its_name_and_people_of_that_day(
        self, officer: Api, team: int, unit_id: Ids
    ) -> None:
        [member] = officer.get(f"/v1/members?branch={unit_id['phuongvi-1']}&limit=1").json()[
            "items"
        ]
        entry = joined(officer, team, member["id"], valid_from=ago(30))
        officer.post(f"/v1/participations/{entry['id']}/end", json={"effective_on": ago(10)})
        officer.patch(f"/v1/units/{team}", json={"name": "Tổ Sen", "effective_on": ago(5)})

        def on(day: str) -> tuple[str, int]:
            [item] = officer.get(f"/v1/groups?as_of={day}").json()["items"]
            return item["name"], item["people"]

        assert on(ago(31)) == ("Tổ phụ nữ số 1", 0)
        assert on(ago(30)) == ("Tổ phụ nữ số 1", 1)
        assert on(ago(11)) == ("Tổ phụ nữ số 1", 1)
        assert on(ago(10)) == ("Tổ phụ nữ số 1", 0)
        assert on(ago(5)) == ("Tổ Sen", 0)


class TestJoinGroup:
    def test_from_today_unless_another_day_is_given(
        self, head: Api, team: int, database: Database
    ) -> None:
        one, other = members_of(head, 2)
        today = joined(head, team, one)
        assert today == {
            "id": today["id"],
            "group": {"id": team, "level": "group", "name": "Tổ phụ nữ số 1"},
            "kind": "team",
            "member_id": one,
            "full_name": head.get(f"/v1/members/{one}").json()["full_name"],
            "branch_id": head.get(f"/v1/members/{one}").json()["branch_id"],
            "valid_from": local_today().isoformat(),
            "valid_to": None,
            "revision": 1,
        }
        assert joined(head, team, other, valid_from=ago(3))["valid_from"] == ago(3)
        assert [(row[1], row[2]) for row in stored(database)] == [
            (one, local_today()),
            (other, local_today() - timedelta(days=3)),
        ]

    def test_a_member_may_be_in_many_groups_at_once(
        self, officer: Api, team: int, club: int, unit_id: Ids
    ) -> None:
        [member] = officer.get(f"/v1/members?branch={unit_id['phuongvi-1']}&limit=1").json()[
            "items"
        ]
        joined(officer, team, member["id"])
        joined(officer, club, member["id"])
        items = officer.get(f"/v1/members/{member['id']}/participations").json()["items"]
        assert {item["group"]["id"] for item in items} == {team, club}

    def test_the_same_request_again_is_the_same_participation(
        self, head: Api, team: int, database: Database
    ) -> None:
        one, other = members_of(head, 2)
        mine = str(uuid4())
        first = joins(head, team, one, id=mine, valid_from=ago(1))
        again = joins(head, team, one, id=mine, valid_from=ago(1))
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() == again.json()
        refused(joins(head, team, other, id=mine, valid_from=ago(1)), 409, "id_taken")
        refused(joins(head, team, one, id=mine, valid_from=ago(2)), 409, "id_taken")
        assert len(stored(database)) == 1

    def test_nobody_is_twice_in_a_group_on_one_day(
        self, head: Api, team: int, database: Database
    ) -> None:
        [one] = members_of(head, 1)
        entry = joined(head, team, one, valid_from=ago(20))
        body = refused(joins(head, team, one), 409, "participation_exists")
        assert as_written(ago(20)) in body["detail"]
        head.post(f"/v1/participations/{entry['id']}/end", json={"effective_on": ago(10)})
        refused(joins(head, team, one, valid_from=ago(11)), 409, "participation_exists")
        refused(joins(head, team, one, valid_from=ago(25)), 409, "participation_exists")
        assert len(stored(database)) == 1
        joined(head, team, one, valid_from=ago(10))
        assert people_in(head, team) == {one}

    @pytest.mark.race
    def test_of_two_at_once_one_wins(self, head: Api, team: int, database: Database) -> None:
        [one] = members_of(head, 1)
        start = Barrier(2)

        def go(_: int) -> int:
            start.wait()
            return joins(Api(head.app, head.headers), team, one).status_code

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(go, range(2))) == [201, 409]
        assert len(stored(database)) == 1

    def test_a_team_takes_members_of_its_branch_only(
        self, officer: Api, team: int, club: int, unit_id: Ids, database: Database
    ) -> None:
        path = f"/v1/members?branch={unit_id['phuongvi-2']}&limit=1"
        [neighbour] = officer.get(path).json()["items"]
        refused(joins(officer, team, neighbour["id"]), 409, "team_of_another_branch")
        assert stored(database) == []
        joined(officer, club, neighbour["id"])

    @pytest.mark.parametrize(
        ("days", "pointer", "code"),
        [(-1, "/valid_from", "date_in_future"), (40_000, None, "unit_not_open_yet")],
    )
    def test_the_day_is_one_of_the_group(
        self, head: Api, team: int, days: int, pointer: str | None, code: str, database: Database
    ) -> None:
        [one] = members_of(head, 1)
        answer = joins(head, team, one, valid_from=ago(days))
        if pointer is None:
            refused(answer, 409, code)
        else:
            pointed(answer, pointer, code)
        assert stored(database) == []

    def test_the_day_is_one_of_her_membership(
        self, officer: Api, team: int, unit_id: Ids, database: Database
    ) -> None:
        body = {"branch_id": unit_id["phuongvi-1"], "full_name": "Hà Thị Mới", "birth_date": "1988"}
        new = officer.post("/v1/members", json=body | {"joined_on": ago(7)}).json()["id"]
        pointed(joins(officer, team, new, valid_from=ago(8)), "/valid_from", "not_member_then")
        assert stored(database) == []
        joined(officer, team, new, valid_from=ago(7))

    def test_who_has_left_joins_nothing(
        self, officer: Api, head: Api, team: int, database: Database
    ) -> None:
        [one] = members_of(head, 1)
        gone = officer.post(f"/v1/members/{one}/departures", json={"reason": "moved_away"})
        assert gone.status_code == 201, gone.text
        refused(joins(officer, team, one), 409, "member_state")
        assert stored(database) == []

    def test_needs_the_right_over_both(
        self, api: Api, head: Api, officer: Api, team: int, club: int, database: Database
    ) -> None:
        [one] = members_of(head, 1)
        [stranger] = members_of(api.as_("tienluong"), 1)
        pointed(joins(officer, club, stranger), "/member_id", "member_unknown")
        pointed(joins(officer, club, str(uuid4())), "/member_id", "member_unknown")
        for who in ("phuongvi-2", "tienluong"):
            pointed(joins(api.as_(who), team, one), "/member_id", "member_unknown")
        refused(joins(api.as_("tienluong"), team, stranger), 404, "not_found")
        refused(joins(head, club, one), 404, "not_found")
        body = refused(joins(api.as_("auditor"), team, one), 403, "forbidden")
        assert body["required_right"] == "members:write"
        refused(joins(officer, 999_999, one), 404, "not_found")
        assert stored(database) == []

    def test_a_unit_that_is_no_group_has_no_participants(self, officer: Api, unit_id: Ids) -> None:
        [one] = members_of(officer, 1)
        refused(joins(officer, unit_id["phuongvi-1"], one), 404, "not_found")
        path = f"/v1/groups/{unit_id['phuongvi-1']}/participations"
        refused(officer.get(path), 404, "not_found")

    def test_a_closed_group_takes_nobody(
        self, officer: Api, team: int, head: Api, database: Database
    ) -> None:
        [one, other] = members_of(head, 2)
        joined(head, team, one, valid_from=ago(30))
        assert officer.post(f"/v1/units/{team}/close", json={"effective_on": ago(4)}).is_success
        assert [row[3] for row in stored(database)] == [local_today() - timedelta(days=5)]
        refused(joins(head, team, other), 409, "unit_closed")
        refused(joins(head, team, other, valid_from=ago(6)), 409, "unit_closed")
        assert len(stored(database)) == 1


class TestEndParticipation:
    @pytest.fixture
    def entry(self, head: Api, team: int) -> Json:
        [one] = members_of(head, 1)
        return joined(head, team, one, valid_from=ago(10))

    def test_its_last_day_is_the_one_before(
        self, head: Api, team: int, entry: Json, database: Database
    ) -> None:
        answer = head.post(f"/v1/participations/{entry['id']}/end", json={})
        assert answer.status_code == 200
        assert answer.json() == entry | {"valid_to": ago(1), "revision": 2}
        assert stored(database)[0][3] == local_today() - timedelta(days=1)
        assert people_in(head, team) == set()
        assert people_in(head, team, f"?as_of={ago(1)}") == {entry["member_id"]}
        assert people_in(head, team, "?all=true") == {entry["member_id"]}

    def test_once_more_is_no_other_end(self, head: Api, entry: Json) -> None:
        path = f"/v1/participations/{entry['id']}/end"
        first = head.post(path, json={"effective_on": ago(2)})
        assert head.post(path, json={"effective_on": ago(2)}).json() == first.json()
        assert head.post(path, json={}).json() == first.json()
        body = refused(head.post(path, json={"effective_on": ago(1)}), 409, "participation_ended")
        assert as_written(ago(3)) in body["detail"]

    def test_on_its_first_day_it_never_was(
        self, head: Api, team: int, entry: Json, database: Database
    ) -> None:
        head.post(f"/v1/participations/{entry['id']}/end", json={"effective_on": ago(10)})
        assert people_in(head, team, f"?as_of={ago(10)}") == set()
        joined(head, team, entry["member_id"], valid_from=ago(10))

    @pytest.mark.parametrize(("days", "code"), [(11, "dates_reversed"), (-1, "date_in_future")])
    def test_ends_between_its_first_day_and_today(
        self, head: Api, entry: Json, days: int, code: str, database: Database
    ) -> None:
        answer = head.post(
            f"/v1/participations/{entry['id']}/end", json={"effective_on": ago(days)}
        )
        pointed(answer, "/effective_on", code)
        assert stored(database)[0][3] is None

    def test_needs_the_right(self, api: Api, entry: Json, database: Database) -> None:
        path = f"/v1/participations/{entry['id']}/end"
        refused(api.as_("phuongvi-2").post(path, json={}), 404, "not_found")
        body = refused(api.as_("auditor").post(path, json={}), 403, "forbidden")
        assert body["required_right"] == "members:write"
        nowhere = f"/v1/participations/{uuid4()}/end"
        refused(api.as_("phuongvi").post(nowhere, json={}), 404, "not_found")
        assert stored(database)[0][3] is None


class TestWhatFollows:
    """A participation ends with what it stands on."""

    @pytest.fixture
    def someone(self, officer: Api, head: Api, team: int, club: int) -> str:
        [one] = members_of(head, 1)
        joined(officer, team, one, valid_from=ago(20))
        joined(officer, club, one, valid_from=ago(20))
        return one

    def ends(self, database: Database) -> dict[int, date | None]:
        return {group: last for group, _, _, last in stored(database)}

    def test_a_transfer_ends_those_of_the_old_branch(
        self, officer: Api, someone: str, team: int, club: int, unit_id: Ids, database: Database
    ) -> None:
        body = {
            "to_branch_id": unit_id["phuongvi-2"],
            "reason": "Chuyển nhà",
            "effective_on": ago(5),
        }
        answer = officer.post(f"/v1/members/{someone}/transfers", json=body)
        assert answer.status_code == 201, answer.text
        last = local_today() - timedelta(days=6)
        assert self.ends(database) == {team: last, club: None}

    def test_a_departure_ends_all(
        self, officer: Api, someone: str, team: int, club: int, database: Database
    ) -> None:
        body = {"reason": "moved_away", "effective_on": ago(5)}
        assert officer.post(f"/v1/members/{someone}/departures", json=body).status_code == 201
        last = local_today() - timedelta(days=6)
        assert self.ends(database) == {team: last, club: last}

    @pytest.mark.parametrize(("days", "last"), [(5, 6), (20, 21), (25, 21)])
    def test_a_day_before_it_began_leaves_it_no_day(
        self, someone: str, team: int, club: int, database: Database, days: int, last: int
    ) -> None:
        with writing(database) as session:
            changes.attribute(session, changes.Origin(ChangeSource.cli))
            on = local_today() - timedelta(days=days)
            groups.follow_ending(session, Ending(UUID(someone), on, Left.departure))
        ended = local_today() - timedelta(days=last)
        assert self.ends(database) == {team: ended, club: ended}

    def test_a_team_moves_only_to_the_branch_of_its_people(
        self, officer: Api, someone: str, team: int, unit_id: Ids, database: Database
    ) -> None:
        move = {"parent_id": unit_id["phuongvi-2"], "effective_on": ago(1)}
        refused(officer.post(f"/v1/units/{team}/moves", json=move), 409, "team_of_another_branch")
        [entry] = [
            item
            for item in officer.get(f"/v1/groups/{team}/participations").json()["items"]
            if item["member_id"] == someone
        ]
        officer.post(f"/v1/participations/{entry['id']}/end", json={})
        assert officer.post(f"/v1/units/{team}/moves", json=move).status_code == 200
        commune = {"parent_id": unit_id["phuongvi"], "effective_on": ago(0)}
        pointed(
            officer.post(f"/v1/units/{team}/moves", json=commune), "/parent_id", "unit_level_wrong"
        )

    def test_closing_in_the_past_does_not_cut_off_who_joined_later(
        self, officer: Api, team: int, someone: str, database: Database
    ) -> None:
        answer = officer.post(f"/v1/units/{team}/close", json={"effective_on": ago(20)})
        refused(answer, 409, "unit_date_conflict")
        assert self.ends(database)[team] is None


class TestListParticipations:
    def test_shows_of_a_club_only_whom_one_may_see(
        self, api: Api, officer: Api, club: int, unit_id: Ids
    ) -> None:
        district = api.as_("camkhe")
        [own] = members_of(officer, 1)
        [stranger] = members_of(api.as_("tienluong"), 1)
        joined(district, club, own)
        joined(district, club, stranger)
        assert people_in(district, club) == {own, stranger}
        assert people_in(officer, club) == {own}
        [group] = officer.get("/v1/groups").json()["items"]
        assert group["people"] == 2  # the commune counts its club
        refused(api.as_("tienluong").get(f"/v1/groups/{club}/participations"), 404, "not_found")
        # Her own officer sees that she takes part, and may not end it there.
        theirs = api.as_("tienluong")
        [entry] = theirs.get(f"/v1/members/{stranger}/participations").json()["items"]
        answer = theirs.post(f"/v1/participations/{entry['id']}/end", json={})
        assert refused(answer, 403, "forbidden")["required_right"] == "members:write"

    def test_pages_by_name_with_one_question(
        self, head: Api, team: int, database: Database
    ) -> None:
        ids = members_of(head, 5)
        for member_id in reversed(ids):
            joined(head, team, member_id)
        path = f"/v1/groups/{team}/participations"
        first = head.get(f"{path}?limit=2").json()
        rest = head.get(f"{path}?limit=9&cursor={first['next_cursor']}").json()
        assert [item["member_id"] for item in first["items"] + rest["items"]] == ids
        with counted(database) as statements:
            head.get(path)
        assert len([s for s in statements if "FROM participation" in s]) == 1

    def test_of_a_member_out_of_scope_is_not_found(self, api: Api, head: Api) -> None:
        [one] = members_of(head, 1)
        assert head.get(f"/v1/members/{one}/participations").json()["items"] == []
        answer = api.as_("phuongvi-2").get(f"/v1/members/{one}/participations")
        refused(answer, 404, "not_found")

    def test_of_a_member_come_oldest_first(
        self, officer: Api, head: Api, team: int, club: int
    ) -> None:
        [one] = members_of(head, 1)
        joined(officer, team, one, valid_from=ago(1))
        joined(officer, club, one, valid_from=ago(2))
        path = f"/v1/members/{one}/participations"
        first = head.get(f"{path}?limit=1").json()
        second = head.get(f"{path}?limit=1&cursor={first['next_cursor']}").json()
        found = [item["group"]["id"] for item in first["items"] + second["items"]]
        assert (found, second["next_cursor"]) == ([club, team], None)


class TestCountGroups:
    @pytest.fixture
    def filled(self, officer: Api, head: Api, team: int, club: int, unit_id: Ids) -> None:
        """Two members in the team, both and a third in the club."""
        one, two, three = members_of(head, 3)
        for group, member in ((team, one), (team, two), (club, one), (club, two), (club, three)):
            joined(officer, group, member, valid_from=ago(10))

    def test_people_and_participations_never_mix(
        self, officer: Api, filled: None, unit_id: Ids
    ) -> None:
        body = officer.get("/v1/groups/count?by=kind").json()
        assert body == {
            "unit": None,
            "as_of": local_today().isoformat(),
            "people": 3,
            "participations": 5,
            "items": [
                {"value": "team", "people": 2, "participations": 2},
                {"value": "club", "people": 3, "participations": 3},
            ],
        }

    @pytest.mark.parametrize(
        ("days", "figures"), [(11, (0, 0)), (10, (3, 5)), (0, (3, 5)), (-1, (3, 5))]
    )
    def test_on_any_day(
        self, officer: Api, filled: None, days: int, figures: tuple[int, int]
    ) -> None:
        body = officer.get(f"/v1/groups/count?as_of={ago(days)}").json()
        assert (body["people"], body["participations"], body["items"]) == (*figures, [])

    def test_of_a_unit_and_of_a_scope(
        self, api: Api, officer: Api, head: Api, filled: None, unit_id: Ids
    ) -> None:
        def figures(who: Api, query: str = "") -> tuple[int, int]:
            body = who.get(f"/v1/groups/count{query}").json()
            return body["people"], body["participations"]

        branch = officer.get(f"/v1/groups/count?unit={unit_id['phuongvi-1']}").json()
        assert (branch["people"], branch["participations"]) == (2, 2)
        assert branch["unit"]["id"] == unit_id["phuongvi-1"]
        assert figures(head) == (2, 2)
        assert figures(api.as_("tienluong")) == (0, 0)
        answer = head.get(f"/v1/groups/count?unit={unit_id['phuongvi-2']}")
        pointed(answer, "/unit", "unit_unknown")
        refused(api.as_("admin").get("/v1/groups/count"), 403, "forbidden")


def test_every_participation_is_in_the_change_log(head: Api, team: int, database: Database) -> None:
    [one] = members_of(head, 1)
    entry = joined(head, team, one)
    head.post(f"/v1/participations/{entry['id']}/end", json={})
    items = head.get(f"/v1/changes?kinds=participation&entity_id={entry['id']}").json()["items"]
    assert [(item["operation"], item["revision"]) for item in items] == [
        ("created", 1),
        ("updated", 2),
    ]
    assert items[1]["after"] == {"valid_to": ago(1)}
    with writing(database) as session:
        assert session.exec(select(func.count()).select_from(Participation)).one() == 1
