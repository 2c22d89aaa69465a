"""Posts: who holds which since when, and the rights that follow."""

from uuid import uuid4

import pytest

from app.db import Database
from tests.cadres.appointments import day, ended, items, transfer
from tests.helpers.answers import Json, pointed, refused
from tests.helpers.cadres import (
    Ids,
    account,
    appoint,
    done,
    forbidden,
    free_members,
    grants_of,
    made,
    post_of,
)
from tests.helpers.client import Api, counted
from tests.helpers.reading import Reading


def everything(api: Api, path: str) -> list[Json]:
    """All pages of a list."""
    found: list[Json] = []
    cursor = ""
    while True:
        page = done(api.get(f"{path}{'&' if '?' in path else '?'}limit=3{cursor}"))
        assert len(page["items"]) <= 3
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"


class TestRequiresLogin(Reading):
    def test_every_endpoint(self, api: Api) -> None:
        one = f"/v1/appointments/{uuid4()}"
        for method, path in (
            ("GET", "/v1/posts"),
            ("GET", "/v1/appointments"),
            ("POST", "/v1/appointments"),
            ("GET", one),
            ("PATCH", one),
            ("POST", f"{one}/end"),
            ("GET", "/v1/units/1/appointments"),
        ):
            refused(api.request(method, path), 401, "not_authenticated")


class TestListPosts(Reading):
    def test_says_where_each_exists_and_what_comes_with_it(self, api: Api) -> None:
        posts = {item["post"]: item for item in done(api.as_("member").get("/v1/posts"))["items"]}
        assert posts["chair"] == {
            "post": "chair",
            "name_vi": "Chủ tịch",
            "name_en": "Chair",
            "levels": ["central", "province", "district", "commune"],
            "single": True,
            "expected": True,
            "roles": {
                "central": "central_officer",
                "province": "province_officer",
                "district": "district_officer",
                "commune": "commune_officer",
            },
        }
        assert posts["branch_head"]["roles"] == {"branch": "branch_head"}
        assert (posts["vice_chair"]["single"], posts["committee_member"]["roles"]) == (False, {})
        assert len(posts) == 9


class TestGetAppointment(Reading):
    def test_one_in_scope(self, api: Api, unit_id: Ids) -> None:
        chair = post_of(api.as_("phuongvi"), unit_id["phuongvi"], "chair")
        path = f"/v1/appointments/{chair['id']}"
        for name in ("phutho", "camkhe", "phuongvi", "auditor"):
            assert done(api.as_(name).get(path)) == chair
        refused(api.as_("tienluong").get(path), 404, "not_found")
        refused(api.as_("phuongvi-1").get(path), 404, "not_found")
        for name in ("admin", "member"):
            forbidden(api.as_(name).get(path), "appointments:read")
        refused(api.as_("phuongvi").get(f"/v1/appointments/{uuid4()}"), 404, "not_found")

    def test_the_tag_answers_304(self, api: Api, unit_id: Ids) -> None:
        officer = api.as_("phuongvi")
        path = f"/v1/appointments/{post_of(officer, unit_id['phuongvi'], 'chair')['id']}"
        tag = officer.get(path).headers["etag"]
        again = officer.get(path, headers={"if-none-match": tag})
        assert (again.status_code, again.content) == (304, b"")


class TestListAppointments(Reading):
    def test_the_officers_of_the_demo_are_its_cadres(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        for name, post in (
            ("phuongvi", "chair"),
            ("tienluong", "chair"),
            ("phuongvi-4", "branch_head"),
        ):
            officer, item = account(database, name), post_of(api.as_(name), unit_id[name], post)
            assert item["member"]["id"] == str(officer.member_id)
            assert item["member"]["full_name"] == officer.display_name
            [grant] = grants_of(database, officer.id)
            assert str(grant.appointment_id) == item["id"]

    def test_each_sees_the_posts_of_her_units(self, api: Api, unit_id: Ids) -> None:
        def seen(name: str) -> list[tuple[int, str]]:
            found = items(api.as_(name).get("/v1/appointments?limit=200"))
            return [(item["unit"]["id"], item["post"]) for item in found]

        commune = [
            (unit_id["phuongvi"], "chair"),
            (unit_id["phuongvi"], "vice_chair"),
            *((unit_id[f"phuongvi-{n}"], "branch_head") for n in range(1, 5)),
        ]
        assert seen("phuongvi") == commune
        assert seen("phuongvi-1") == [(unit_id["phuongvi-1"], "branch_head")]
        assert len(seen("tienluong")) == 5
        for name in ("phutho", "camkhe", "auditor"):
            assert seen(name) == sorted(seen(name), key=lambda place: place[0])
            assert len(seen(name)) == 11
        for name in ("admin", "member"):
            forbidden(api.as_(name).get("/v1/appointments"), "appointments:read")

    def test_pages_hold_every_post_once(self, api: Api) -> None:
        officer = api.as_("phutho")
        assert everything(officer, "/v1/appointments") == items(
            officer.get("/v1/appointments?limit=200")
        )

    def test_filters(self, api: Api, unit_id: Ids) -> None:
        officer = api.as_("phutho")

        def found(query: str) -> int:
            return len(items(officer.get(f"/v1/appointments?limit=200&{query}")))

        chair = post_of(officer, unit_id["phuongvi"], "chair")
        assert found(f"unit={unit_id['phuongvi']}") == 6
        assert found(f"unit={unit_id['camkhe']}") == 11
        assert found(f"unit={unit_id['phuongvi-3']}") == 1
        assert found("post=chair") == 2
        assert found("payment=salaried") == 2
        assert found("payment=part_time") == 1
        assert found("payment=allowance&post=chair") == 0
        assert found(f"member={chair['member']['id']}") == 1
        assert found(f"member={uuid4()}") == 0
        assert found("in_force_on=2000-01-01") == 0
        assert found("in_force_on=2025-01-01&post=chair") == 2
        assert found("all=true") == 11

    def test_parameters_wrong(self, api: Api, unit_id: Ids) -> None:
        officer = api.as_("phuongvi")
        for query, pointer, code in (
            ("expiring_within=90", "/expiring_within", "wrong_format"),
            ("expiring_within=99999d", "/expiring_within", "wrong_format"),
            ("expiring_within=-1d", "/expiring_within", "wrong_format"),
            ("post=queen", "/post", "not_in_list"),
            ("vacant=true", "/vacant", "unknown_field"),
            ("sort=post", "/sort", "unknown_field"),
            ("all=true&in_force_on=2025-01-01", "/in_force_on", "not_together"),
            ("all=true&expiring_within=9d", "/expiring_within", "not_together"),
            (f"unit={unit_id['tienluong']}", "/unit", "unit_unknown"),
        ):
            pointed(officer.get(f"/v1/appointments?{query}"), pointer, code)

    def test_as_csv(self, api: Api) -> None:
        answer = api.as_("phuongvi").get(
            "/v1/appointments?headings=api", headers={"accept": "text/csv"}
        )
        lines = answer.text.removeprefix("\ufeff").splitlines()
        assert lines[0].startswith("id,unit")
        assert len(lines) == 7

    @pytest.mark.parametrize("path", ["/v1/appointments?limit=200", "/v1/appointments?limit=2"])
    def test_costs_the_same_for_two_as_for_all(
        self, api: Api, database: Database, path: str
    ) -> None:
        officer = api.as_("phutho")
        officer.get("/v1/me")
        with counted(database) as statements:
            done(officer.get(path))
        asked = [one for one in statements if "FROM appointment" in one]
        assert len(asked) == 1
        assert len(statements) - len(asked) == statements_to_know_her(api, database)


def statements_to_know_her(api: Api, database: Database) -> int:
    """What it takes to know who is asking, which the tests do not cache."""
    officer = api.as_("phutho")
    with counted(database) as statements:
        done(officer.get("/v1/posts"))
    return len(statements)


class TestListUnitAppointments(Reading):
    def test_the_unit_and_all_below_it(self, api: Api, unit_id: Ids) -> None:
        officer = api.as_("camkhe")
        path = f"/v1/units/{unit_id['phuongvi']}/appointments"
        same = items(officer.get(f"/v1/appointments?unit={unit_id['phuongvi']}"))
        assert items(officer.get(path)) == same
        assert [item["post"] for item in items(officer.get(f"{path}?post=chair"))] == ["chair"]
        refused(api.as_("tienluong").get(path), 404, "not_found")
        refused(officer.get("/v1/units/999999/appointments"), 404, "not_found")
        forbidden(api.as_("admin").get(path), "appointments:read")
        pointed(officer.get(f"{path}?unit=1"), "/unit", "unknown_field")


class TestHolderWhoMoved:
    def test_where_she_stands_is_for_whom_she_is_in_sight(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        moved = account(database, "phuongvi-1")
        transfer(api.as_("camkhe"), moved, unit_id["tienluong-1"])
        path = f"/v1/appointments?all=true&unit={unit_id['phuongvi-1']}"
        [here] = items(api.as_("phuongvi").get(path))
        [there] = items(api.as_("camkhe").get(path))
        assert here["member"] == there["member"] | {"branch": None}
        assert there["member"]["branch"]["id"] == unit_id["tienluong-1"]
        one = done(api.as_("phuongvi").get(f"/v1/appointments/{here['id']}"))
        assert one == here
        hers = items(api.as_("phuongvi-1").get("/v1/me/appointments"))
        assert [each["member"]["branch"]["id"] for each in hers] == [unit_id["tienluong-1"]]


class TestVacancies:
    def test_the_radar_shows_what_nobody_holds(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer = api.as_("phutho")
        path = f"/v1/units/{unit_id['phutho']}/appointments?vacant=true"

        def vacant(query: str = "") -> list[tuple[int, str, str | None]]:
            found = everything(officer, path + query)
            assert all(item["vacant"] and item["member"] is None for item in found)
            assert all(item["id"] is None for item in found)
            return [(item["unit"]["id"], item["post"], item["vacant_since"]) for item in found]

        at_first = [
            (unit_id["phutho"], "chair", None),
            (unit_id["phutho"], "vice_chair", None),
            (unit_id["camkhe"], "chair", None),
            (unit_id["camkhe"], "vice_chair", None),
            (unit_id["tienluong"], "vice_chair", None),
        ]
        assert vacant() == at_first
        ended(officer, post_of(officer, unit_id["tienluong-3"], "branch_head")["id"])
        ended(officer, post_of(officer, unit_id["phuongvi"], "chair")["id"], effective_on=day(-30))
        later = post_of(officer, unit_id["tienluong"], "chair")["id"]
        ended(officer, later, effective_on=day(1))  # she still holds it today
        assert vacant("&post=branch_head") == [(unit_id["tienluong-3"], "branch_head", day(0))]
        assert sorted(vacant("&post=chair")) == sorted(
            [
                *(row for row in at_first if row[1] == "chair"),
                (unit_id["phuongvi"], "chair", day(-30)),
            ]
        )
        member = free_members(database, unit_id["phuongvi-2"])[0]
        made(appoint(officer, member, unit_id["phuongvi"], "chair", acting=True))
        assert (unit_id["phuongvi"], "chair", day(-30)) not in vacant()

    def test_a_mistake_was_never_held(self, api: Api, database: Database, unit_id: Ids) -> None:
        officer, member = api.as_("phutho"), free_members(database, unit_id["phuongvi-2"])[0]
        wrong = made(appoint(officer, member, unit_id["tienluong"], "vice_chair"))
        path = f"/v1/units/{unit_id['tienluong']}/appointments?vacant=true"
        assert items(officer.get(path)) == []
        ended(officer, wrong["id"], reason="mistake")
        [item] = items(officer.get(path))
        assert (item["post"], item["vacant_since"], item["revision"]) == ("vice_chair", None, None)

    def test_is_bounded_by_scope_and_by_what_is_open(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        commune = f"/v1/units/{unit_id['tienluong']}/appointments?vacant=true"
        assert [item["post"] for item in items(api.as_("tienluong").get(commune))] == ["vice_chair"]
        refused(api.as_("phuongvi").get(commune), 404, "not_found")
        own = f"/v1/units/{unit_id['phuongvi']}/appointments?vacant=true"
        assert items(api.as_("phuongvi").get(own)) == []
        officer = api.as_("phuongvi")
        body = {
            "level": "branch",
            "name": "Chi hội 9",
            "parent_id": unit_id["phuongvi"],
            "opened_on": day(-9),
        }
        branch = made(officer.post("/v1/units", json=body))["id"]
        assert [item["unit"]["id"] for item in items(officer.get(own))] == [branch]
        done(officer.post(f"/v1/units/{branch}/close", json={"effective_on": day(0)}))
        assert items(officer.get(own)) == []

    def test_other_filters_make_no_sense(self, api: Api, unit_id: Ids) -> None:
        path = f"/v1/units/{unit_id['phuongvi']}/appointments?vacant=true"
        officer = api.as_("phuongvi")
        for name, value in (
            ("payment", "salaried"),
            ("member", str(uuid4())),
            ("all", "true"),
            ("in_force_on", "2025-01-01"),
            ("expiring_within", "90d"),
        ):
            pointed(officer.get(f"{path}&{name}={value}"), f"/{name}", "not_together")

    def test_costs_the_same_for_two_as_for_all(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer = api.as_("phutho")
        path = f"/v1/units/{unit_id['phutho']}/appointments?vacant=true"
        taken = []
        for limit in (2, 200):
            with counted(database) as statements:
                done(officer.get(f"{path}&limit={limit}"))
            taken.append(len(statements))
        assert taken[0] == taken[1]
        # Besides who is asking: the unit, and the list.
        assert taken[0] == statements_to_know_her(api, database) + 2

    def test_whose_end_is_near(self, api: Api, database: Database, unit_id: Ids) -> None:
        officer = api.as_("phuongvi")
        first, second, third, fourth = free_members(database, unit_id["phuongvi-2"])[:4]

        def ending(within: int) -> set[str]:
            path = f"/v1/units/{unit_id['phuongvi']}/appointments?expiring_within={within}d"
            return {item["member"]["id"] for item in items(officer.get(path))}

        # The commune's chair and her deputy have outlived their term (until June 2026).
        overdue = ending(0)
        assert len(overdue) == 2
        for member, last in ((first, 90), (second, 91), (third, 0)):
            made(appoint(officer, member, unit_id["phuongvi"], valid_to=day(last)))
        past = {"congress_number": 20, "starts_on": "2015-01-01", "ends_on": day(-1)}
        made(appoint(officer, fourth, unit_id["phuongvi"], term=past, valid_to=day(400)))
        overdue.add(str(fourth.id))
        assert ending(0) == overdue | {str(third.id)}
        assert ending(90) == overdue | {str(first.id), str(third.id)}
        assert ending(91) == overdue | {str(first.id), str(second.id), str(third.id)}
