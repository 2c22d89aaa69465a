"""Figures of a unit: totals, parts, own and overlap; of any period; and who gets which."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from app.api.http.server import serving
from app.clock import local_today
from app.db import Database
from app.models.kernel.access_log import AccessRead
from app.models.kernel.changes import Feed
from app.models.members.members import Member, MemberKind, Religion
from app.services.kernel import sequencer
from tests.helpers.answers import Json, UnitIds
from tests.helpers.captures import hold, members_of, send, tapped
from tests.helpers.client import Api, writing
from tests.helpers.homes import decide, home
from tests.helpers.past import entered_long_ago
from tests.helpers.reading import Reading
from tests.members.test_member_counts import attribute

DAY = timedelta(days=1)


def asked(api: Api, unit: int, indicators: str, **more: str) -> list[Json]:
    query = {"unit": unit, "indicators": indicators, "limit": 200} | more
    answer = api.get("/v1/figures", params=query)
    assert answer.status_code == 200, answer.text
    items: list[Json] = answer.json()["items"]
    return items


def value(api: Api, unit: int, indicator: str, **more: str) -> Any:
    return asked(api, unit, indicator, **more)[0]["value"]


def lines(items: list[Json]) -> dict[tuple[str, str | None], Any]:
    return {(each["line"], each["unit_name"]): each["value"] for each in items}


def explained(api: Api, indicator: str, unit: int, **more: str) -> Json:
    query = {"unit": unit, "limit": 200} | more
    answer = api.get(f"/v1/figures/{indicator}/explain", params=query)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


@pytest.fixture
def meetings(api: Api, database: Database, unit_id: UnitIds) -> list[Any]:
    """One woman of khu 1 comes to the meetings of two branches, and another to one of her commune;
    of khu 2 one comes to that. Returns the members who came."""
    first, second = unit_id["phuongvi-1"], unit_id["phuongvi-2"]
    her, other = members_of(database, first)[:2]
    third = members_of(database, second)[0]
    officer = api.as_("phuongvi")
    for hosts, came in (
        ([first], [her]),
        ([second], [her]),
        ([unit_id["phuongvi"]], [other, third]),
    ):
        session_id = hold(database, hosts, [unit_id["phuongvi"]])
        send(officer, session_id, [tapped(member_id) for member_id in came])
    return [her, other, third]


class TestParts:
    def test_people_are_counted_once_and_participations_each_time(
        self, api: Api, unit_id: UnitIds, meetings: list[Any]
    ) -> None:
        officer, commune = api.as_("phuongvi"), unit_id["phuongvi"]
        people = asked(officer, commune, "attendance.people", by="child")
        assert lines(people)["total", "Xã Phượng Vĩ"] == len(meetings)
        assert lines(people)["child", "Chi hội khu 1"] == 2
        assert lines(people)["child", "Chi hội khu 2"] == 1
        times = asked(officer, commune, "attendance.participations", by="child")
        assert lines(times)["total", "Xã Phượng Vĩ"] == 4
        assert lines(times)["child", "Chi hội khu 1"] == 3

    def test_who_comes_to_two_branches_is_one_person_of_the_commune(
        self, api: Api, unit_id: UnitIds, database: Database
    ) -> None:
        """She came as a member of khu 1, and after her transfer as one of khu 2."""
        first, second = unit_id["phuongvi-1"], unit_id["phuongvi-2"]
        her = members_of(database, first)[0]
        officer = api.as_("phuongvi")
        send(officer, hold(database, [first]), [tapped(her)])
        with writing(database) as session:
            session.execute(
                sa.text("UPDATE attendance SET branch_id = :b WHERE 1 = 1"), {"b": second}
            )
        send(officer, hold(database, [first]), [tapped(her)])
        found = lines(asked(officer, unit_id["phuongvi"], "attendance.people", by="child"))
        assert found["child", "Chi hội khu 1"] == found["child", "Chi hội khu 2"] == 1
        assert found["total", "Xã Phượng Vĩ"] == found["overlap", None] == 1
        assert found["own", None] == 0
        told = explained(officer, "attendance.people", unit_id["phuongvi"])
        assert (told["own"], told["overlap"], told["value"]) == (0, 1, 1)

    def test_the_own_activity_of_the_parent_is_a_line(
        self, api: Api, unit_id: UnitIds, meetings: list[Any]
    ) -> None:
        officer, commune = api.as_("phuongvi"), unit_id["phuongvi"]
        found = lines(asked(officer, commune, "attendance.hosted", by="child"))
        assert found["total", "Xã Phượng Vĩ"] == 4
        assert found["child", "Chi hội khu 1"] == found["child", "Chi hội khu 2"] == 1
        assert (found["own", None], found["overlap", None]) == (2, 0)
        held = lines(asked(officer, commune, "events.sessions", by="child"))
        assert (held["total", "Xã Phượng Vĩ"], held["own", None]) == (3, 1)

    def test_a_transfer_inside_is_no_movement_of_the_whole(
        self, api: Api, unit_id: UnitIds, database: Database
    ) -> None:
        her = members_of(database, unit_id["phuongvi-1"])[0]
        officer = api.as_("phuongvi")
        to = {"to_branch_id": unit_id["phuongvi-2"]}
        answer = officer.post(f"/v1/members/{her}/transfers", json=to)
        assert answer.status_code == 201, answer.text
        for name in ("movement.transferred_in", "movement.transferred_out"):
            found = lines(asked(officer, unit_id["phuongvi"], name, by="child"))
            assert (found["total", "Xã Phượng Vĩ"], found["overlap", None]) == (0, 1), name
        assert value(officer, unit_id["phuongvi-1"], "movement.transferred_out") == 1
        assert value(officer, unit_id["phuongvi-1"], "movement.net") == -1
        assert value(officer, unit_id["phuongvi-2"], "movement.net") == 1
        assert value(officer, unit_id["phuongvi"], "movement.net") == 0

    def test_rates_roll_up_by_their_terms(
        self, api: Api, unit_id: UnitIds, database: Database
    ) -> None:
        """1 of 2 and 1 of 4 are 2 of 6: 33.33 %, and not the mean of 50 % and 25 %."""
        for branch, homes in (("phuongvi-1", 2), ("phuongvi-2", 4)):
            ids = [home(database, unit_id[branch]) for _ in range(homes)]
            decide(database, ids[0], "poor", "2026-01-15")
        officer, commune = api.as_("phuongvi"), unit_id["phuongvi"]
        items = asked(officer, commune, "poverty.poor_rate", by="child")
        found = lines(items)
        assert found["total", "Xã Phượng Vĩ"] == 33.33
        assert (found["child", "Chi hội khu 1"], found["child", "Chi hội khu 2"]) == (50, 25)
        # No household, no rate.
        assert found["child", "Chi hội khu 3"] is None
        assert ("own", None) not in found
        assert items[0]["terms"] == [
            {"indicator": "households.total", "value": 6},
            {"indicator": "poverty.poor", "value": 2},
        ]

    def test_what_nobody_reported_is_unknown_and_not_zero(self, api: Api, unit_id: UnitIds) -> None:
        officer, commune = api.as_("phuongvi"), unit_id["phuongvi"]
        assert value(officer, commune, "loans.borrowers") is None
        assert value(officer, commune, "loans.outstanding") is None
        assert value(officer, commune, "support.value") == 0
        body = {
            "unit_id": unit_id["phuongvi-1"],
            "scheme": "vbsp",
            "as_of": local_today().isoformat(),
            "source": "NHCSXH",
            "groups": 2,
            "borrowers": 78,
            "outstanding_vnd": 3_850_000_000,
        }
        assert officer.post("/v1/loan-figures", json=body).status_code == 201
        named = body | {"group_name": "Tổ 1", "borrowers": 40}
        assert officer.post("/v1/loan-figures", json=named).status_code == 201
        # The report of all groups holds those of the groups.
        assert value(officer, commune, "loans.borrowers") == 78
        assert value(officer, commune, "loans.outstanding") == 3850


class TestPeriods(Reading):
    def test_a_year_is_its_months(self, api: Api, unit_id: UnitIds) -> None:
        officer, district = api.as_("camkhe"), unit_id["camkhe"]
        year, *months = asked(officer, district, "movement.admitted", period="2025", by="month")
        assert [each["line"] for each in (year, *months)] == ["total", *["period"] * 12]
        assert year["value"] == sum(each["value"] for each in months)
        assert (months[1]["first_day"], months[1]["last_day"]) == ("2025-02-01", "2025-02-28")

    @pytest.mark.parametrize(
        ("period", "first", "last"),
        [
            ("2025", "2025-01-01", "2025-12-31"),
            ("2025-H2", "2025-07-01", "2025-12-31"),
            ("2025-Q1", "2025-01-01", "2025-03-31"),
            ("2024-02", "2024-02-01", "2024-02-29"),
            ("2025-06-15..2025-12-14", "2025-06-15", "2025-12-14"),
        ],
    )
    def test_are_of_the_calendar_or_any_days(
        self, api: Api, unit_id: UnitIds, period: str, first: str, last: str
    ) -> None:
        found = asked(api.as_("phuongvi"), unit_id["phuongvi"], "members.total", period=period)[0]
        assert (found["first_day"], found["last_day"]) == (first, last)

    def test_that_of_today_ends_today(self, api: Api, unit_id: UnitIds) -> None:
        found = asked(api.as_("phuongvi"), unit_id["phuongvi"], "members.total")[0]
        assert found["last_day"] == local_today().isoformat()

    @pytest.mark.parametrize("by", ["quarter", "year"])
    def test_parts_are_cut_at_its_ends(self, api: Api, unit_id: UnitIds, by: str) -> None:
        period = "2024-12-15..2025-12-14"
        officer, commune = api.as_("phuongvi"), unit_id["phuongvi"]
        _, *parts = asked(officer, commune, "members.total", period=period, by=by)
        assert (parts[0]["first_day"], parts[0]["last_day"]) == ("2024-12-15", "2024-12-31")
        assert parts[-1]["last_day"] == "2025-12-14"
        assert len(parts) == {"quarter": 5, "year": 2}[by]

    @pytest.mark.parametrize(
        ("query", "pointer", "code"),
        [
            ("period=2025-13", "/period", "period_invalid"),
            ("period=last+month", "/period", "period_invalid"),
            ("period=1700", "/period", "period_invalid"),
            ("period=2025-02-30..2025-03-01", "/period", "period_invalid"),
            ("period=2025-03-02..2025-03-01", "/period", "dates_reversed"),
            ("period=2999", "/period", "date_in_future"),
            ("period=2000-01-01..2025-12-31&by=month", "/by", "too_many_parts"),
            ("indicators=members.horses", "/indicators", "figure_unknown"),
            ("indicators=,", "/indicators", "figure_unknown"),
            ("hierarchy=as_planned", "/hierarchy", "hierarchy_invalid"),
            ("hierarchy=2999-01-01", "/hierarchy", "date_in_future"),
        ],
    )
    def test_a_bad_parameter_is_named(
        self, api: Api, unit_id: UnitIds, query: str, pointer: str, code: str
    ) -> None:
        answer = api.as_("phuongvi").get(f"/v1/figures?unit={unit_id['phuongvi']}&{query}")
        assert answer.status_code == 422, answer.text
        error = answer.json()["errors"][0]
        assert (error["pointer"], error["code"]) == (pointer, code)


class TestThen:
    def test_members_are_counted_as_they_were_recorded(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        entered_long_ago(database)
        officer, branch = api.as_("phuongvi"), unit_id["phuongvi-1"]
        yesterday = local_today() - DAY
        period = f"{yesterday}..{yesterday}"
        codes = "members.core,members.honorary,members.minority,members.age_over_59"
        before = asked(officer, branch, codes, period=period)
        with writing(database) as session:
            attribute(session)
            rows = session.exec(select(Member).where(col(Member.branch_id) == branch)).all()
            her = next(each for each in rows if not each.core and each.ethnicity == "01")
            her.core, her.kind, her.ethnicity = True, MemberKind.honorary, "03"
            her.birth_date, her.birth_year = "1930", 1930
        assert asked(officer, branch, codes, period=period) == before
        now = {each["indicator"]: each["value"] for each in asked(officer, branch, codes)}
        was = {each["indicator"]: each["value"] for each in before}
        assert now["members.core"] == was["members.core"] + 1
        assert now["members.honorary"] == was["members.honorary"] + 1
        # The rows behind a number are those of the number.
        for code in ("members.core", "members.minority"):
            for more in ({"period": period}, {}):
                told = explained(officer, code, branch, **more)
                assert len(told["items"]) == told["value"], (code, more)

    def test_units_stand_where_they_stood(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phutho")
        total = value(officer, unit_id["camkhe"], "members.total")
        assert total == 400
        assert value(officer, unit_id["camkhe"], "members.total", period="1950") == 0


class TestHierarchy:
    """A branch goes from one commune to another today."""

    @pytest.fixture
    def moved(self, api: Api, unit_id: UnitIds) -> int:
        branch = unit_id["phuongvi-1"]
        body = {"parent_id": unit_id["tienluong"], "effective_on": local_today().isoformat()}
        answer = api.as_("phutho").post(f"/v1/units/{branch}/moves", json=body)
        assert answer.is_success, answer.text
        return branch

    def test_both_totals_are_the_same_and_its_people_are_where_it_stands(
        self, api: Api, unit_id: UnitIds, moved: int
    ) -> None:
        officer, yesterday = api.as_("camkhe"), local_today() - DAY
        past, today = f"{yesterday}..{yesterday}", f"{local_today()}..{local_today()}"
        hers = value(officer, moved, "members.total", period=past)

        def total(unit: str, period: str, hierarchy: str) -> Any:
            more = {"period": period, "hierarchy": hierarchy}
            return value(officer, unit_id[unit], "members.total", **more)

        assert hers > 0
        for period in (past, today):
            totals = {total("camkhe", period, each) for each in ("as_was", "as_is", str(yesterday))}
            assert len(totals) == 1
        assert total("phuongvi", past, "as_is") == total("phuongvi", past, "as_was") - hers
        assert total("tienluong", past, "as_is") == total("tienluong", past, "as_was") + hers
        assert total("phuongvi", today, str(yesterday)) == total("phuongvi", past, "as_was")
        assert total("phuongvi", today, "as_was") == total("phuongvi", today, "as_is")

    def test_the_parts_and_rows_are_of_the_same_tree(
        self, api: Api, unit_id: UnitIds, moved: int
    ) -> None:
        officer, yesterday = api.as_("camkhe"), local_today() - DAY
        period = f"{yesterday}..{yesterday}"
        for hierarchy, commune in (("as_was", "phuongvi"), ("as_is", "tienluong")):
            more = {"period": period, "hierarchy": hierarchy}
            told = explained(officer, "members.total", unit_id[commune], **more)
            assert moved in {each["unit"]["id"] for each in told["children"]}
            assert moved in {each["unit_id"] for each in told["items"]}
            split = asked(officer, unit_id[commune], "members.total", by="child", **more)
            assert moved in {each["unit_id"] for each in split}
            assert split[0]["value"] == told["value"]

    def test_months_are_each_as_they_were_or_all_as_they_are(
        self, api: Api, unit_id: UnitIds, moved: int
    ) -> None:
        officer, commune = api.as_("camkhe"), unit_id["phuongvi"]
        was, now = (
            asked(officer, commune, "members.total", by="month", hierarchy=each)
            for each in ("as_was", "as_is")
        )
        assert was[-1]["value"] == now[-1]["value"] == was[0]["value"]
        if len(was) > 2:
            assert was[-2]["value"] > now[-2]["value"]


class TestAccess(Reading):
    def test_a_unit_out_of_scope_reads_like_none(self, api: Api, unit_id: UnitIds) -> None:
        head = api.as_("phuongvi-1")
        for unit in (unit_id["tienluong-1"], 999_999):
            for path in ("/v1/figures", "/v1/figures/members.total/explain"):
                answer = head.get(f"{path}?unit={unit}")
                assert answer.status_code == 422, answer.text
                assert answer.json()["errors"][0]["code"] == "unit_unknown"

    def test_who_may_not_see_poverty_gets_no_figure_of_it(self, api: Api, unit_id: UnitIds) -> None:
        auditor, commune = api.as_("auditor"), unit_id["phuongvi"]
        body = auditor.get(f"/v1/figures?unit={commune}&limit=200").json()
        assert {"poverty.poor", "poverty.poor_rate", "support.times"} <= set(body["left_out"])
        shown = {each["indicator"] for each in body["items"]}
        assert "members.total" in shown
        assert not shown & set(body["left_out"])
        for path in (
            "/v1/figures?indicators=poverty.poor_rate&",
            "/v1/figures/poverty.poor_rate/explain?",
        ):
            answer = auditor.get(f"{path}unit={commune}")
            assert answer.status_code == 403, answer.text
            assert answer.json()["required_right"] == "poverty:read"

    def test_no_figure_of_a_name_is_not_found(self, api: Api, unit_id: UnitIds) -> None:
        path = f"/v1/figures/members.horses/explain?unit={unit_id['phuongvi']}"
        assert api.as_("phuongvi").get(path).status_code == 404

    def test_needs_an_account(self, api: Api, unit_id: UnitIds) -> None:
        assert api.get(f"/v1/figures?unit={unit_id['phuongvi']}").status_code == 401


class TestRounded:
    @pytest.fixture
    def catholics(self, database: Database, unit_id: UnitIds) -> int:
        """23 members of the branch."""
        with writing(database) as session:
            attribute(session)
            branch = unit_id["phuongvi-1"]
            rows = session.exec(select(Member).where(col(Member.branch_id) == branch)).all()
            for place, row in enumerate(rows):
                row.religion = Religion.catholic if place < 23 else Religion.none
        return branch

    def test_who_may_not_see_whose_religion_gets_it_rounded(self, api: Api, catholics: int) -> None:
        assert value(api.as_("phuongvi"), catholics, "members.religious") == 23
        head = asked(api.as_("phuongvi-1"), catholics, "members.religious,members.total")
        assert head[0]["value"] in (20, 25)
        assert (head[0]["rounded"], head[1]["rounded"]) == (True, False)
        # However often and beside whatever it is asked.
        for more in ({}, {"by": "child"}, {"period": str(local_today().year)}):
            again = asked(api.as_("phuongvi-1"), catholics, "members.religious", **more)
            assert again[0]["value"] == head[0]["value"]
            assert [each["line"] for each in again] == ["total"]

    def test_a_small_one_and_a_past_one_are_withheld(self, api: Api, catholics: int) -> None:
        head = api.as_("phuongvi-1")
        small = asked(head, catholics, "members.party")[0]
        assert (small["value"], small["withheld"]) == (None, True)
        yesterday = local_today() - DAY
        past = asked(head, catholics, "members.religious", period=f"{yesterday}..{yesterday}")[0]
        assert (past["value"], past["withheld"]) == (None, True)

    def test_the_rows_are_not_shown(self, api: Api, catholics: int) -> None:
        told = explained(api.as_("phuongvi-1"), "members.religious", catholics)
        assert (told["items"], told["masked"]) == ([], ["members:religion"])
        assert told["value"] in (20, 25)
        assert (told["own"], told["overlap"]) == (None, None)


class TestExplained:
    def test_down_to_the_rows(
        self, api: Api, unit_id: UnitIds, meetings: list[Any], database: Database
    ) -> None:
        told = explained(api.as_("phuongvi"), "attendance.people", unit_id["phuongvi"])
        assert told["rule_vi"].startswith("Hội viên tham gia ít nhất một buổi")
        assert (told["version"], told["measured_in"], told["value"]) == (1, "person", 3)
        below = {each["unit"]["name"]: each["value"] for each in told["children"]}
        assert (below["Chi hội khu 1"], below["Chi hội khu 2"]) == (2, 1)
        assert {each["entity_id"] for each in told["items"]} == set(map(str, meetings))
        assert len(told["items"]) == 4
        assert {each["entity"] for each in told["items"]} == {"member"}
        with writing(database) as session:
            names = session.exec(select(Member.full_name).where(col(Member.id).in_(meetings))).all()
        assert {each["title"] for each in told["items"]} == set(names)

    def test_rows_come_page_by_page(self, api: Api, unit_id: UnitIds, meetings: list[Any]) -> None:
        officer = api.as_("phuongvi")
        path = f"/v1/figures/attendance.participations/explain?unit={unit_id['phuongvi']}&limit=3"
        first = officer.get(path).json()
        second = officer.get(f"{path}&cursor={first['next_cursor']}").json()
        assert [len(each["items"]) for each in (first, second)] == [3, 1]
        assert second["next_cursor"] is None

    def test_a_formula_by_its_terms(self, api: Api, unit_id: UnitIds, database: Database) -> None:
        decide(database, home(database, unit_id["phuongvi-1"]), "poor", "2026-01-15")
        told = explained(api.as_("phuongvi"), "poverty.poor_rate", unit_id["phuongvi"])
        assert (told["value"], told["items"]) == (100, [])
        assert {each["indicator"] for each in told["terms"]} == {
            "poverty.poor",
            "households.total",
        }

    def test_what_counts_nowhere_is_said(
        self, api: Api, unit_id: UnitIds, database: Database
    ) -> None:
        officer, branch = api.as_("phuongvi"), unit_id["phuongvi-1"]
        hold(database, [branch], state="cancelled")
        told = explained(officer, "events.sessions", branch)
        assert (told["value"], told["excluded"]) == (0, [{"reason": "cancelled", "rows": 1}])

    def test_who_saw_a_family_in_it_is_noted(
        self, api: Api, unit_id: UnitIds, database: Database
    ) -> None:
        household = home(database, unit_id["phuongvi-1"])
        decide(database, household, "poor", "2026-01-15")
        officer = api.as_("phuongvi")
        told = explained(officer, "poverty.poor", unit_id["phuongvi"])
        assert [each["reveals"] for each in told["items"]] == [["poverty"]]
        # Members of whom nothing sensitive is shown are not noted.
        explained(officer, "members.total", unit_id["phuongvi"])
        serving(api.app).access_log.flush()
        with writing(database) as session:
            noted = session.exec(select(AccessRead)).all()
        assert {each.fields for each in noted} == {"poverty"}

    def test_as_a_file_it_has_the_rows_that_may_leave(
        self, api: Api, unit_id: UnitIds, meetings: list[Any], database: Database
    ) -> None:
        path = f"/v1/figures/attendance.participations/explain?unit={unit_id['phuongvi']}"
        answer = api.as_("phuongvi").get(f"{path}&format=csv&headings=api")
        assert answer.status_code == 200, answer.text
        assert len(answer.text.strip().splitlines()) == 1 + 4
        with writing(database) as session:
            attribute(session)
            session.get_one(Member, meetings[1]).restricted = True
        officer = api.as_("phuongvi")
        answer = officer.get(f"{path}&format=csv&headings=api")
        assert str(meetings[1]) not in answer.text
        assert len(answer.text.strip().splitlines()) == 1 + 3
        told = explained(officer, "attendance.participations", unit_id["phuongvi"])
        assert len(told["items"]) == told["value"] == 4


def test_the_watermark_is_the_place_in_the_log(
    api: Api, unit_id: UnitIds, database: Database
) -> None:
    officer = api.as_("phuongvi")
    path = f"/v1/figures?unit={unit_id['phuongvi']}&indicators=members.total"
    before = officer.get(path).json()
    body = {"full_name": "Hà Thị Mơ", "birth_date": "1980", "joined_on": None}
    answer = officer.post("/v1/members", json=body | {"branch_id": unit_id["phuongvi-1"]})
    assert answer.status_code == 201, answer.text
    sequencer.settle(database)
    after = officer.get(path).json()
    assert after["items"][0]["value"] == before["items"][0]["value"] + 1
    assert after["watermark"] > before["watermark"]
    with writing(database) as session:
        of_hers = select(Feed.seq).where(col(Feed.entity_id) == answer.json()["id"])
        assert before["watermark"] < session.exec(of_hers).one() <= after["watermark"]
