"""Counting members: in people, of any day, and never so that one person could be recognised."""

from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise

import pytest
from sqlmodel import Session, col, select

from app.clock import local_today
from app.db import Database
from app.models.kernel.access import Grant, Role
from app.models.kernel.accounts import Account
from app.models.kernel.changes import ChangeSource
from app.models.kernel.units import Unit
from app.models.members.members import Member, MemberKind, MemberStatus, Religion
from app.models.members.spells import Joined, Left, Membership
from app.services.kernel import changes, dated
from tests.helpers.answers import Json, UnitIds
from tests.helpers.client import Api, counted, utc_now, writing
from tests.helpers.past import entered_long_ago
from tests.helpers.reading import Reading

DAY = timedelta(days=1)


def count(api: Api, query: str = "") -> Json:
    answer = api.get(f"/v1/members/count?{query}")
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def figures(body: Json) -> dict[str | None, int | None]:
    return {item["value"]: item["people"] for item in body["items"]}


def people_of(database: Database) -> list[Member]:
    with writing(database) as session:
        return list(session.exec(select(Member)).all())


def attribute(session: Session) -> None:
    changes.attribute(session, changes.Origin(ChangeSource.cli))


def age_band(member: Member) -> str:
    age = local_today().year - member.birth_year
    bands = ((30, "under_30"), (40, "30_39"), (50, "40_49"), (60, "50_59"), (200, "60_plus"))
    return next(name for limit, name in bands if age < limit)


BY: dict[str, Callable[[Member], str | None]] = {
    "gender": lambda m: m.gender.value,
    "age_band": age_band,
    "ethnicity": lambda m: m.ethnicity,
    "religion": lambda m: m.religion and m.religion.value,
    "party": lambda m: m.party and m.party.value,
    "education": lambda m: m.education and m.education.value,
    "qualification": lambda m: m.qualification and m.qualification.value,
    "core": lambda m: str(m.core).lower(),
    "joined_year": lambda m: None if m.joined_on is None else m.joined_on[:4],
    "branch": lambda m: str(m.branch_id),
    "commune": lambda m: str(m.commune_id),
    "status": lambda m: m.status.value,
}


class TestToday(Reading):
    @pytest.mark.parametrize("username", ["phuongvi", "camkhe", "phutho"])
    @pytest.mark.parametrize("by", BY)
    def test_by_anything_is_what_the_records_say(
        self, api: Api, database: Database, unit_id: UnitIds, username: str, by: str
    ) -> None:
        mine = [
            m
            for m in people_of(database)
            if username != "phuongvi" or m.commune_id == unit_id["phuongvi"]
        ]
        honorary = [m for m in mine if m.kind is MemberKind.honorary]
        body = count(api.as_(username), f"by={by}")
        assert body["as_of"] == local_today().isoformat()
        assert (body["unit"], body["by"], body["suppressed"]) == (None, by, [])
        assert (body["people"], body["honorary"]) == (len(mine), len(honorary))
        assert figures(body) == dict(Counter(map(BY[by], mine)))
        assert body["rounded"] is False

    def test_without_by_only_the_total(self, api: Api, database: Database) -> None:
        body = count(api.as_("phutho"))
        everybody = Counter(m.kind for m in people_of(database))
        assert body == {
            "unit": None,
            "as_of": local_today().isoformat(),
            "people": everybody.total(),
            "honorary": everybody[MemberKind.honorary],
            "by": None,
            "items": [],
            "rounded": False,
            "suppressed": [],
            "not_dated": [],
        }
        assert everybody[MemberKind.honorary] > 0

    def test_by_kind_honorary_members_are_an_item(self, api: Api) -> None:
        body = count(api.as_("phutho"), "by=kind")
        regular = body["people"] - body["honorary"]
        assert figures(body) == {"regular": regular, "honorary": body["honorary"]}

    def test_people_are_those_of_the_unit_and_of_its_movement(
        self, api: Api, unit_id: UnitIds
    ) -> None:
        unit = unit_id["phuongvi"]
        officer = api.as_("phuongvi")
        movement = officer.get(f"/v1/units/{unit}/movement?from={local_today()}").json()
        body = count(officer, f"unit={unit}")
        assert body["honorary"] == movement["of_which_honorary"]["closing"] > 0
        assert body["people"] == movement["closing"]
        assert body["people"] == officer.get(f"/v1/units/{unit}").json()["member_count"]

    def test_values_come_in_their_order_with_their_names(self, api: Api, unit_id: UnitIds) -> None:
        province = api.as_("phutho")
        bands = [item["value"] for item in count(province, "by=age_band")["items"]]
        assert bands == ["under_30", "30_39", "40_49", "50_59", "60_plus"]
        ethnic = {i["value"]: i["label"] for i in count(province, "by=ethnicity")["items"]}
        assert (ethnic["01"], ethnic["04"]) == ("Kinh", "Mường")
        communes = [(i["value"], i["label"]) for i in count(province, "by=commune")["items"]]
        assert communes == [
            (str(unit_id["phuongvi"]), "Xã Phượng Vĩ"),
            (str(unit_id["tienluong"]), "Xã Tiên Lương"),
        ]
        years = [item["value"] for item in count(province, "by=joined_year")["items"]]
        assert years[-1] is None
        assert years[:-1] == sorted(years[:-1])

    def test_unit_narrows(self, api: Api, database: Database, unit_id: UnitIds) -> None:
        province = api.as_("phutho")
        sizes = Counter(m.branch_id for m in people_of(database))
        for slug in ("phuongvi-1", "tienluong-3"):
            body = count(province, f"unit={unit_id[slug]}")
            assert body["unit"]["id"] == unit_id[slug]
            assert body["people"] == sizes[unit_id[slug]]
        parts = [count(province, f"unit={unit_id[c]}")["people"] for c in ("phuongvi", "tienluong")]
        assert sum(parts) == count(province, f"unit={unit_id['camkhe']}")["people"]

    def test_a_unit_out_of_scope_reads_like_none(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phuongvi")
        answers = [
            officer.get(f"/v1/members/count?unit={unit}").json()["errors"]
            for unit in (unit_id["tienluong"], unit_id["phutho"], 2147483647)
        ]
        assert answers[0] == answers[1] == answers[2]
        [error] = answers[0]
        assert (error["in"], error["pointer"], error["code"]) == ("query", "/unit", "unit_unknown")

    @pytest.mark.parametrize(
        ("query", "pointer", "code"),
        [
            ("by=name", "/by", "not_in_list"),
            ("by=", "/by", "not_in_list"),
            ("unit=0", "/unit", "too_small"),
            ("as_of=2024-02-30", "/as_of", "date_invalid"),
            ("as_of=2199-01-01", "/as_of", "date_in_future"),
            ("status=x", "/status", "not_in_list"),
            ("as_of=2026-01-31&status=active", "/status", "status_not_dated"),
            ("as_of=2026-01-31&by=status", "/by", "status_not_dated"),
            ("q=hoa", "/q", "unknown_field"),
            ("limit=1", "/limit", "unknown_field"),
        ],
    )
    def test_a_bad_parameter_is_named(self, api: Api, query: str, pointer: str, code: str) -> None:
        answer = api.as_("phutho").get(f"/v1/members/count?{query}")
        assert answer.status_code == 422, answer.text
        [error] = answer.json()["errors"]
        assert (error["in"], error["pointer"], error["code"]) == ("query", pointer, code)

    def test_is_no_member_of_that_id(self, api: Api) -> None:
        answer = api.as_("phutho").patch("/v1/members/count", json={})
        assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
        assert answer.headers["allow"] == "GET"

    def test_requires_sign_in_and_the_right(self, api: Api) -> None:
        answer = api.get("/v1/members/count")
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
        for username in ("admin", "member"):
            answer = api.as_(username).get("/v1/members/count")
            assert answer.status_code == 403
            assert answer.json()["required_right"] == "members:read"

    @pytest.mark.parametrize("username", ["phuongvi-1", "phutho", "auditor"])
    def test_is_one_query_for_any_scope(self, api: Api, database: Database, username: str) -> None:
        caller = api.as_(username)
        with counted(database) as total:
            caller.get("/v1/members/count")
        with counted(database) as by_religion:
            caller.get("/v1/members/count?by=religion")
        with counted(database) as by_branch:
            caller.get("/v1/members/count?by=branch")
        assert len(by_religion) == len(total)
        assert len(by_branch) == len(total) + 1  # and the names of the branches


class TestStatus:
    def test_who_has_left_is_counted_only_when_asked(self, api: Api, database: Database) -> None:
        before = count(api.as_("phuongvi"))["people"]
        with writing(database) as session:
            attribute(session)
            commune = session.exec(select(Unit.id).where(col(Unit.name) == "Xã Phượng Vĩ")).one()
            regular = session.exec(
                select(Member).where(
                    col(Member.commune_id) == commune, col(Member.kind) == MemberKind.regular
                )
            ).all()
            for member, status in zip(regular, (*MemberStatus, MemberStatus.left), strict=False):
                member.status = status
        officer = api.as_("phuongvi")
        assert count(officer)["people"] == before - 3
        assert count(officer, "status=left")["people"] == 2
        assert count(officer, "status=deceased&by=gender")["people"] == 1
        by_status = count(officer, "by=status")
        assert figures(by_status) == {
            "active": before - 4,
            "transferring": 1,
            "left": 2,
            "deceased": 1,
        }
        assert by_status["people"] == before


class TestAsOf:
    def test_the_spells_of_a_day_decide(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        """First and last day count; an annulled spell and one that has no day do not."""
        with writing(database) as session:
            attribute(session)
            like = session.exec(
                select(Member).where(
                    col(Member.branch_id) == unit_id["phuongvi-1"],
                    col(Member.kind) == MemberKind.regular,
                )
            ).first()
            assert like is not None
            spells = session.exec(
                select(Membership).where(col(Membership.member_id) == like.id)
            ).all()
            for spell in spells:
                spell.valid_from, spell.valid_to = date(2010, 3, 8), date(2010, 10, 20)
                spell.left_by = Left.transfer
            now = utc_now()
            for since, until, annulled in (
                (date(2010, 10, 21), None, None),
                (date(2011, 5, 1), date(2011, 4, 30), None),
                (date(2009, 1, 1), date(2009, 12, 31), now),
            ):
                session.add(
                    Membership(
                        member_id=like.id,
                        branch_id=unit_id["tienluong-1"],
                        province_id=unit_id["phutho"],
                        valid_from=since,
                        valid_to=until,
                        joined_by=Joined.transfer,
                        annulled_at=annulled,
                        created_at=now,
                        updated_at=now,
                    )
                )
        officer = api.as_("phutho")

        def at(day: str) -> tuple[int, int]:
            one, two = (
                count(officer, f"unit={unit_id[slug]}&as_of={day}")["people"]
                for slug in ("phuongvi-1", "tienluong-1")
            )
            return one, two

        with writing(database) as session:
            rows = session.exec(
                select(Membership).where(col(Membership.annulled_at).is_(None))
            ).all()

        def expected(day: date) -> tuple[int, int]:
            inside = [
                spell.branch_id
                for spell in rows
                if spell.valid_from <= day and (spell.valid_to is None or day <= spell.valid_to)
            ]
            return inside.count(unit_id["phuongvi-1"]), inside.count(unit_id["tienluong-1"])

        days = ["2009-06-01", "2010-03-07", "2010-03-08", "2010-10-20", "2010-10-21", "2011-04-30"]
        assert [at(day) for day in days] == [expected(date.fromisoformat(day)) for day in days]
        first, last = at("2010-03-07"), at("2010-03-08")
        assert last[0] > first[0]

    def test_yesterday_is_today_where_nothing_changed(self, api: Api) -> None:
        officer = api.as_("phutho")
        for by in ("", "gender", "branch", "commune", "religion", "core", "education"):
            query = f"by={by}" if by else ""
            today = count(officer, query)
            before = count(officer, f"{query}&as_of={local_today() - DAY}")
            assert before | {"as_of": today["as_of"], "not_dated": []} == today

    def test_ages_are_those_of_the_day(self, api: Api) -> None:
        body = count(api.as_("phutho"), "by=age_band&as_of=2005-12-31")
        assert sum(people or 0 for people in figures(body).values()) == body["people"] > 0
        assert (figures(body)["under_30"] or 0) > (
            figures(count(api.as_("phutho"), "by=age_band"))["under_30"] or 0
        )

    @pytest.mark.parametrize("at_once", [1, 1_000])
    def test_people_are_counted_as_they_were_recorded_then(
        self,
        api: Api,
        database: Database,
        unit_id: UnitIds,
        monkeypatch: pytest.MonkeyPatch,
        at_once: int,
    ) -> None:
        """The ethnic group, the day of joining and the kind that were corrected since."""
        monkeypatch.setattr(dated, "_AT_ONCE", at_once)
        entered_long_ago(database)
        officer = api.as_("phuongvi")
        queries = {
            by: f"by={by}&as_of={local_today() - DAY}" for by in ("ethnicity", "joined_year")
        }
        before = {by: count(officer, query) for by, query in queries.items()}
        member = next(
            m
            for m in people_of(database)
            if m.branch_id == unit_id["phuongvi-1"] and m.ethnicity == "01" and m.joined_on
        )
        with writing(database) as session:
            attribute(session)
            stored = session.get_one(Member, member.id)
            stored.ethnicity, stored.kind = "03", MemberKind.honorary
            stored.joined_on = "1999"
        assert count(officer)["honorary"] == before["ethnicity"]["honorary"] + 1
        for by, query in queries.items():
            assert count(officer, query) == before[by], by
        # On a day before she was entered nothing but today's record is known, and that is said.
        body = count(officer, "by=ethnicity&as_of=2024-12-31")
        assert body["not_dated"] == ["honorary", "ethnicity"]
        assert before["ethnicity"]["not_dated"] == []

    def test_before_the_units_there_was_nobody(self, api: Api) -> None:
        body = count(api.as_("phutho"), "by=branch&as_of=1950-01-01")
        assert (body["people"], body["honorary"], body["items"]) == (0, 0, [])

    def test_units_stand_where_they_stood_that_day(self, api: Api, unit_id: UnitIds) -> None:
        province = api.as_("phutho")
        branch, to = unit_id["phuongvi-4"], unit_id["tienluong"]
        commune = unit_id["phuongvi"]
        before = count(province, f"unit={commune}")["people"]
        size = count(province, f"unit={branch}")["people"]
        moved = province.post(
            f"/v1/units/{branch}/moves",
            json={"parent_id": to, "effective_on": local_today().isoformat()},
        )
        assert moved.status_code == 200, moved.text
        assert count(province, f"unit={commune}")["people"] == before - size
        yesterday = f"as_of={local_today() - DAY}"
        assert count(province, f"unit={commune}&{yesterday}")["people"] == before
        by_commune = figures(count(province, f"by=commune&{yesterday}"))
        assert by_commune[str(commune)] == before
        assert count(api.as_("phuongvi"), yesterday)["people"] == before


class TestSensitive:
    """The auditor may count by what she may not read of anyone."""

    def test_the_right_over_the_whole_scope_gives_exact_figures(self, api: Api) -> None:
        body = count(api.as_("phuongvi"), "by=ethnicity")
        assert body["suppressed"] == []
        assert all(item["people"] for item in body["items"])

    @pytest.mark.parametrize("by", ["ethnicity", "religion", "party"])
    def test_figures_are_rounded_and_small_ones_withheld(self, api: Api, by: str) -> None:
        exact = count(api.as_("phutho"), f"by={by}")
        body = count(api.as_("auditor"), f"by={by}")
        assert body["rounded"] is True
        true = figures(exact)
        for value, figure in figures(body).items():
            people = true.get(value) or 0
            if figure is None:
                assert people < 10
            else:
                assert people > 5
                assert figure % 5 == 0
                assert abs(figure - people) < 5
        hidden = [value for value, figure in figures(body).items() if figure is None]
        assert body["suppressed"] == hidden
        assert {value for value, people in true.items() if (people or 0) <= 5} <= set(hidden)
        for name in ("people", "honorary"):
            assert body[name] == 5 * round(exact[name] / 5)
        assert count(api.as_("auditor"), f"by={by}") == body  # once more tells nothing more

    @pytest.mark.parametrize("by", ["ethnicity", "religion", "party"])
    def test_a_past_day_needs_the_right(self, api: Api, by: str, unit_id: UnitIds) -> None:
        """Day after day it would tell who came and went."""
        path = f"/v1/members/count?by={by}&unit={unit_id['phuongvi']}"
        answer = api.as_("auditor").get(f"{path}&as_of={local_today() - DAY}")
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert answer.json()["required_right"] == f"members:{by}"
        assert count(api.as_("auditor"), f"by={by}&as_of={local_today()}")["rounded"] is True
        assert (
            count(api.as_("auditor"), f"by=gender&as_of={local_today() - DAY}")["rounded"] is False
        )
        officer = api.as_("phuongvi").get(f"{path}&as_of={local_today() - DAY}")
        assert (officer.status_code, officer.json()["rounded"]) == (200, False)

    def test_no_admission_tells_what_she_is(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        """One more catholic after another: the figure never moves by more than one step, and at
        times back, so that no single step tells anything."""
        auditor, unit = api.as_("auditor"), unit_id["phuongvi-1"]
        with writing(database) as session:
            attribute(session)
            rows = session.exec(select(Member).where(col(Member.branch_id) == unit)).all()
            ids = [row.id for row in rows]
            for row in rows:
                row.religion = Religion.none
        steps = []
        for catholics, member_id in enumerate(ids[:30], 1):
            with writing(database) as session:
                attribute(session)
                session.get_one(Member, member_id).religion = Religion.catholic
            shown = figures(count(auditor, f"by=religion&unit={unit}"))["catholic"]
            near = (catholics // 5 * 5, -(-catholics // 5) * 5)
            assert shown in {figure if figure >= 10 else None for figure in near}
            steps.append(shown or 5)
        moves = [after - before for before, after in pairwise(steps)]
        assert {abs(move) for move in moves} <= {0, 5}
        assert -5 in moves

    def test_some_cell_of_the_demo_is_small(self, api: Api) -> None:
        body = count(api.as_("auditor"), "by=religion")
        assert len(body["suppressed"]) > 1
        assert "none" not in body["suppressed"]

    def test_the_right_over_a_part_is_not_enough(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        with writing(database) as session:
            attribute(session)
            account_id = session.exec(
                select(Account.id).where(col(Account.username) == "auditor")
            ).one()
            session.add(
                Grant(
                    account_id=account_id,
                    unit_id=unit_id["phuongvi"],
                    role=Role.commune_officer,
                    valid_from=date(2024, 1, 1),
                    created_at=utc_now(),
                    updated_at=utc_now(),
                )
            )
        auditor = api.as_("auditor")
        assert count(auditor, "by=religion")["suppressed"] != []
        part = count(auditor, f"by=religion&unit={unit_id['phuongvi']}")
        assert part["suppressed"] == []
        below = count(auditor, f"by=religion&unit={unit_id['phuongvi-1']}")
        assert below["suppressed"] == []

    def test_a_handful_of_people_tells_nothing(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        with writing(database) as session:
            attribute(session)
            rows = session.exec(
                select(Member).where(col(Member.branch_id) == unit_id["phuongvi-1"])
            ).all()
            for member in rows[3:]:
                member.status = MemberStatus.left
            for member in rows[:3]:
                member.religion = Religion.catholic
        body = count(api.as_("phuongvi-1"), "by=religion")
        assert (body["people"], body["rounded"]) == (5, True)
        assert set(figures(body)) == {*Religion, None}
        assert set(figures(body).values()) == {None}

    def test_other_fields_are_exact_for_everyone(self, api: Api) -> None:
        for by in ("gender", "age_band", "joined_year", "branch"):
            body = count(api.as_("auditor"), f"by={by}")
            assert (body["rounded"], body["suppressed"]) == (False, [])
