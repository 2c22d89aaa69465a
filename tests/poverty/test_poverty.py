"""Poverty over HTTP: the standards, visits and their class, decisions, the inbox, who sees it."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, func, select

from app.api.http.server import serving
from app.clock import local_today, utc_now
from app.db import Database, constraint_name
from app.models.households.households import Household, HouseholdPerson, PovertyClass, Relation
from app.models.kernel.access_log import AccessRead
from app.models.kernel.changes import Change
from app.models.poverty.poverty import Assessment, PovertyStatus, StatusChange
from app.services.poverty import statuses
from tests.helpers.answers import Json, pointed, refused
from tests.helpers.cadres import Ids, done, forbidden, free_members, made
from tests.helpers.client import Api, writing

CODES = (
    "employment",
    "dependants",
    "nutrition",
    "health_insurance",
    "adult_education",
    "child_schooling",
    "housing_quality",
    "housing_area",
    "water",
    "sanitation",
    "telecom_use",
    "information_means",
)


def count(database: Database, model: type[Any]) -> int:
    with writing(database) as session:
        return session.exec(select(func.count()).select_from(model)).one()


@pytest.fixture
def household(api: Api, unit_id: Ids) -> Json:
    """In phuongvi-1 (rural) since 2021, headed by a woman who is no member."""
    head = {"full_name": "Hà Thị Bình", "gender": "female", "relation": "head"}
    body = {"branch_id": unit_id["phuongvi-1"], "opened_on": "2021-01-01", "people": [head]}
    return made(api.as_("phuongvi").post("/v1/households", json=body))


def visit(**values: Any) -> Json:
    answers = {code: n < 3 for n, code in enumerate(CODES)}
    body = {"assessed_on": "2025-10-01", "income_per_person": 1_400_000, "answers": answers}
    return body | {"source": "union_visit"} | values


def decision(**values: Any) -> Json:
    body = {"class": "poor", "decision_number": "12/QĐ-UBND", "decided_on": "2024-12-10"}
    return body | {"valid_from": "2025-01-01"} | values


class TestStandards:
    def test_of_a_day(self, api: Api, unit_id: Ids) -> None:
        reader = api.as_("phuongvi-1")
        for day, expected, rural in (
            ("2021-12-31", "vn-2016", 700_000),
            ("2026-12-31", "vn-2022", 1_500_000),
            ("2027-01-01", "vn-2027", 2_200_000),
        ):
            path = f"/v1/poverty-standards?on={day}&unit={unit_id['phuongvi-1']}"
            [item] = done(reader.get(path))["items"]
            assert (item["id"], item["income_lines"]["rural"]["poor"]) == (expected, rural)
        everything = done(reader.get("/v1/poverty-standards"))["items"]
        assert [item["id"] for item in everything] == ["vn-2016", "vn-2022", "vn-2027"]
        assert everything[1]["unconfirmed"]
        assert done(reader.get("/v1/poverty-standards?on=2031-01-01"))["items"] == []
        pointed(reader.get("/v1/poverty-standards?unit=999999"), "/unit", "unit_unknown")
        refused(api.get("/v1/poverty-standards"), 401, "not_authenticated")


class TestAssessments:
    def test_a_visit_says_the_class_and_why(
        self, api: Api, database: Database, unit_id: Ids, household: Json
    ) -> None:
        path = f"/v1/households/{household['id']}/assessments"
        answer = api.as_("phuongvi-1").post(path, json=visit(witnesses=["Lê Văn Ba"]))
        item = made(answer)
        assert (item["class"], item["standard"]) == ("poor", "vn-2022")
        assert (item["rule_version"], item["area_type"]) == ("vn-2022.1", "rural")
        assert item["deprived"] == list(CODES[:3])
        assert item["missing"] == []
        assert len(item["reasons"]) == 14
        assert "1.500.000" in item["reasons"][-1]["text_en"]
        assert done(api.as_("phuongvi").get(path))["items"] == [item]
        assert done(api.as_("phuongvi").get(f"/v1/assessments/{item['id']}")) == item
        with writing(database) as session:
            stored = session.exec(select(Assessment)).one()
            assert stored.branch_id == unit_id["phuongvi-1"]
            logged = session.exec(select(Change).where(col(Change.entity) == "assessment")).one()
            assert logged.after is not None
            assert logged.after["poverty_class"] == "poor"
        seen = done(api.as_("phuongvi").get(f"/v1/households/{household['id']}"))
        assert (seen["assessed_class"], seen["poverty_status"]) == ("poor", None)

    def test_a_class_that_is_certain_is_given(self, api: Api, household: Json) -> None:
        path = f"/v1/households/{household['id']}/assessments"
        body = visit(answers=dict.fromkeys(CODES[:3], True), income_per_person=1_000_000)
        item = made(api.as_("phuongvi").post(path, json=body))
        assert (item["class"], item["possible"]) == ("poor", ["poor"])
        assert len(item["missing"]) == 9
        assert item["reasons"][-1]["text_vi"].endswith("trả lời thế nào thì vẫn là hộ nghèo.")

    def test_official_totals(self, api: Api, household: Json) -> None:
        path, officer = f"/v1/households/{household['id']}/assessments", api.as_("phuongvi")
        body = visit(answers={}, income_per_person=None, income_points=140, b2_points=30)
        item = made(officer.post(path, json=body))
        assert (item["class"], item["b2_points"], item["missing"]) == ("poor", 30, [])
        near = made(officer.post(path, json=body | {"b2_points": 20}))
        assert near["class"] == "near_poor"
        beside = {"answers": dict.fromkeys(CODES[:3], True)}
        for wrong in ({"b2_points": 25}, {"b2_points": 130}, {"b2_points": 20} | beside):
            answer = officer.post(path, json=body | wrong)
            pointed(answer, "/b2_points", "total_points_wrong")
        assert made(officer.post(path, json=body | beside))["deprived"] == list(CODES[:3])

    def test_the_review_before_a_new_standard(self, api: Api, household: Json) -> None:
        """The autumn review of 2026 is made under the standard of 2027, for decisions from then."""
        officer = api.as_("phuongvi")
        path = f"/v1/households/{household['id']}"
        codes = done(officer.get("/v1/poverty-standards?on=2027-01-01"))["items"][0]
        assert codes["review_from"] == "2026-09-01"
        answers = {each["code"]: n < 3 for n, each in enumerate(codes["indicators"])}
        body = visit(standard="vn-2027", answers=answers, income_per_person=2_000_000)
        early = body | {"assessed_on": "2026-08-31"}
        pointed(
            officer.post(f"{path}/assessments", json=early), "/standard", "standard_not_in_force"
        )
        item = made(officer.post(f"{path}/assessments", json=body | {"assessed_on": "2026-10-01"}))
        assert (item["standard"], item["class"]) == ("vn-2027", "poor")
        decided = decision(decided_on="2026-11-01", valid_from="2026-11-01")
        status = made(
            officer.post(f"{path}/poverty-status", json=decided | {"assessment_id": item["id"]})
        )
        assert (status["standard"], status["assessment_standard"]) == ("vn-2022", "vn-2027")
        [listed] = done(officer.get(f"{path}/poverty-status"))["items"]
        assert listed["assessment_standard"] == "vn-2027"

    def test_incomplete_is_undetermined(self, api: Api, household: Json) -> None:
        path = f"/v1/households/{household['id']}/assessments"
        body = visit(answers={"water": True, "sanitation": None})
        item = made(api.as_("phuongvi").post(path, json=body))
        assert item["class"] == "undetermined"
        assert set(item["missing"]) == set(CODES) - {"water"}

    def test_is_corrected_by_a_new_one(self, api: Api, database: Database, household: Json) -> None:
        officer, path = api.as_("phuongvi"), f"/v1/households/{household['id']}/assessments"
        first = made(officer.post(path, json=visit()))
        body = visit(income_per_person=1_500_001, corrects_id=first["id"])
        second = made(officer.post(path, json=body))
        assert second["class"] == "average"
        items = done(officer.get(path))["items"]
        assert {i["id"]: i["corrected_by"] for i in items} == {
            first["id"]: second["id"],
            second["id"]: None,
        }
        refused(officer.post(path, json=body), 409, "assessment_corrected")
        nobody = visit(corrects_id=str(uuid4()))
        pointed(officer.post(path, json=nobody), "/corrects_id", "assessment_unknown")
        with writing(database) as session:
            assert session.get_one(Assessment, UUID(first["id"])).revision == 1

    def test_sent_twice_is_one(self, api: Api, database: Database, household: Json) -> None:
        officer, path = api.as_("phuongvi"), f"/v1/households/{household['id']}/assessments"
        body = visit(id=str(uuid4()))
        item = made(officer.post(path, json=body))
        again = officer.post(path, json=body)
        assert (again.status_code, again.json()) == (200, item)
        refused(officer.post(path, json=body | {"note": "khác"}), 409, "id_taken")
        assert count(database, Assessment) == 1

    @pytest.mark.parametrize(
        ("sent", "pointer", "code"),
        [
            ({"answers": {"waste": True}}, "/answers/waste", "indicator_unknown"),
            ({"answers": {"water": "yes"}}, "/answers/water", "wrong_type"),
            ({"income_per_person": -1}, "/income_per_person", "too_small"),
            ({"income_per_person": 1.5}, "/income_per_person", "wrong_type"),
            ({"income_points": 140}, "/income_points", "not_together"),
            ({"standard": "vn-2027"}, "/standard", "standard_not_in_force"),
            ({"standard": "vn-1900"}, "/standard", "standard_unknown"),
            ({"assessed_on": "2020-12-31"}, "/assessed_on", "before_household"),
            ({"assessed_on": "2099-01-01"}, "/assessed_on", "date_in_future"),
            ({"source": "rumour"}, "/source", "not_in_list"),
        ],
    )
    def test_fields_wrong(
        self, api: Api, database: Database, household: Json, sent: Json, pointer: str, code: str
    ) -> None:
        path = f"/v1/households/{household['id']}/assessments"
        pointed(api.as_("phuongvi").post(path, json=visit(**sent)), pointer, code)
        assert count(database, Assessment) == 0

    def test_who_may_not(self, api: Api, database: Database, household: Json) -> None:
        path = f"/v1/households/{household['id']}/assessments"
        forbidden(api.as_("auditor").post(path, json=visit()), "poverty:write")
        forbidden(api.as_("auditor").get(path), "poverty:read")
        for name in ("tienluong", "phuongvi-2"):
            refused(api.as_(name).post(path, json=visit()), 404, "not_found")
            refused(api.as_(name).get(path), 404, "not_found")
        assert count(database, Assessment) == 0


class TestDecisions:
    def test_follow_each_other(self, api: Api, database: Database, household: Json) -> None:
        officer, path = api.as_("phuongvi"), f"/v1/households/{household['id']}/poverty-status"
        first = made(officer.post(path, json=decision(causes=["no_capital"])))
        assert (first["class"], first["change"], first["standard"]) == ("poor", "new", "vn-2022")
        changes = []
        for year, class_ in ((2026, "near_poor"), (2027, "escaped_near_poverty"), (2028, "poor")):
            body = decision(**{"class": class_}, valid_from=f"{year}-01-01")
            changes.append(made(officer.post(path, json=body))["change"])
        assert changes == ["to_near_poor", "escaped", "relapsed"]
        items = done(officer.get(path))["items"]
        assert [(i["valid_from"], i["valid_to"]) for i in reversed(items)] == [
            ("2025-01-01", "2025-12-31"),
            ("2026-01-01", "2026-12-31"),
            ("2027-01-01", "2027-12-31"),
            ("2028-01-01", None),
        ]
        seen = done(officer.get(f"/v1/households/{household['id']}"))
        assert (seen["poverty_status"], seen["poverty_since"]) == ("near_poor", "2026-01-01")
        then = done(officer.get(f"/v1/households/{household['id']}?as_of=2025-06-01"))
        assert then["poverty_status"] == "poor"
        assert len(done(officer.get("/v1/households?poverty_status=near_poor"))["items"]) == 1
        late = decision(valid_from="2025-06-01")
        body = refused(officer.post(path, json=late), 409, "status_overlap")
        assert "12/QĐ-UBND" in body["detail"]
        assert count(database, PovertyStatus) == 4

    def test_annulled_never_counted(self, api: Api, database: Database, household: Json) -> None:
        officer, path = api.as_("phuongvi"), f"/v1/households/{household['id']}/poverty-status"
        first = made(officer.post(path, json=decision()))
        wrong = made(
            officer.post(path, json=decision(**{"class": "not_poor"}, valid_from="2026-01-01"))
        )
        annul = f"{path}/{wrong['id']}/annul"
        forbidden(api.as_("phuongvi-1").post(annul, json={"note": "x"}), "poverty:recognise")
        gone = done(officer.post(annul, json={"note": "Ghi nhầm"}))
        assert (gone["annulled_on"], gone["note"]) == (local_today().isoformat(), "Ghi nhầm")
        assert done(officer.post(annul, json={"note": "Ghi nhầm"})) == gone
        with writing(database) as session:
            assert session.get_one(PovertyStatus, UUID(first["id"])).valid_to is None
        seen = done(officer.get(f"/v1/households/{household['id']}"))
        assert seen["poverty_status"] == "poor"
        done(officer.post(f"{path}/{first['id']}/annul", json={"note": "Cả quyết định này"}))
        seen = done(officer.get(f"/v1/households/{household['id']}"))
        assert seen["poverty_status"] is None

    def test_sent_twice_is_one(self, api: Api, database: Database, household: Json) -> None:
        officer, path = api.as_("phuongvi"), f"/v1/households/{household['id']}/poverty-status"
        body = decision(id=str(uuid4()))
        item = made(officer.post(path, json=body))
        assert officer.post(path, json=body).json() == item
        refused(officer.post(path, json=body | {"class": "near_poor"}), 409, "id_taken")
        assert count(database, PovertyStatus) == 1

    @pytest.mark.parametrize(
        ("sent", "pointer", "code"),
        [
            ({"valid_from": "2020-12-31"}, "/valid_from", "before_household"),
            ({"decided_on": "2020-12-31"}, "/decided_on", "before_household"),
            ({"valid_to": "2024-12-31"}, "/valid_to", "dates_reversed"),
            ({"causes": ["laziness"]}, "/causes/0", "cause_unknown"),
            ({"assessment_id": str(uuid4())}, "/assessment_id", "assessment_unknown"),
            ({"class": "rich"}, "/class", "not_in_list"),
            ({"standard": "vn-1"}, "/standard", "standard_unknown"),
        ],
    )
    def test_fields_wrong(
        self, api: Api, database: Database, household: Json, sent: Json, pointer: str, code: str
    ) -> None:
        path = f"/v1/households/{household['id']}/poverty-status"
        pointed(api.as_("phuongvi").post(path, json=decision(**sent)), pointer, code)
        assert count(database, PovertyStatus) == 0

    def test_are_the_communes_to_record(self, api: Api, household: Json) -> None:
        path = f"/v1/households/{household['id']}/poverty-status"
        forbidden(api.as_("phuongvi-1").post(path, json=decision()), "poverty:recognise")
        forbidden(api.as_("auditor").get(path), "poverty:read")
        refused(api.as_("tienluong").post(path, json=decision()), 404, "not_found")

    def test_of_a_later_day_show_when_it_comes(
        self, api: Api, database: Database, household: Json
    ) -> None:
        path = f"/v1/households/{household['id']}/poverty-status"
        tomorrow = (local_today() + timedelta(days=1)).isoformat()
        made(api.as_("phuongvi").post(path, json=decision(valid_from=tomorrow)))
        with writing(database) as session:
            assert session.get_one(Household, UUID(household["id"])).poverty_class is None
            session.execute(sa.update(PovertyStatus).values(valid_from=local_today()))
        assert (statuses.follow(database), statuses.follow(database)) == (1, 0)
        with writing(database) as session:
            row = session.get_one(Household, UUID(household["id"]))
            assert row.poverty_class is PovertyClass.poor


class TestDatabaseItself:
    def refuses(self, database: Database, row: Any, name: str) -> None:
        with pytest.raises(IntegrityError) as refused_, database.writing() as session:
            session.execute(sa.insert(type(row)).values(row.model_dump()))
        assert constraint_name(refused_.value) == name

    def test_refuses_overlaps(self, api: Api, database: Database, household: Json) -> None:
        path = f"/v1/households/{household['id']}/poverty-status"
        item = made(api.as_("phuongvi").post(path, json=decision(valid_to="2025-12-31")))
        with writing(database) as session:
            old = session.get_one(PovertyStatus, UUID(item["id"])).model_dump()
        old |= {"id": uuid4(), "valid_from": date(2025, 6, 1), "valid_to": date(2026, 1, 1)}
        self.refuses(database, PovertyStatus(**old), "ex_poverty_status_days")
        now = utc_now()
        stay = {
            "household_id": UUID(household["id"]),
            "province_id": household["province_id"],
            "valid_from": date(2021, 1, 1),
            "valid_to": date(2021, 2, 1),
            "created_at": now,
            "updated_at": now,
        }
        second_head = HouseholdPerson(
            **stay, person_id=uuid4(), relation=Relation.head, full_name="Ai"
        )
        self.refuses(database, second_head, "ex_household_person_heads")
        twice = HouseholdPerson(
            **stay, person_id=UUID(household["head_id"]), relation=Relation.other, full_name="Ai"
        )
        self.refuses(database, twice, "ex_household_person_days")


class TestInbox:
    def test_names_who_differs(self, api: Api, household: Json) -> None:
        officer, path = api.as_("phuongvi"), f"/v1/households/{household['id']}"
        inbox = "/v1/poverty-status/differences"
        assert done(officer.get(inbox))["items"] == []
        made(officer.post(f"{path}/assessments", json=visit()))
        [item] = done(officer.get(inbox))["items"]
        assert (item["household_id"], item["assessed_class"]) == (household["id"], "poor")
        assert item["poverty_status"] is None
        made(officer.post(f"{path}/poverty-status", json=decision()))
        assert done(officer.get(inbox))["items"] == []
        made(
            officer.post(
                f"{path}/assessments",
                json=visit(income_per_person=2_000_000, assessed_on="2026-03-01"),
            )
        )
        [item] = done(officer.get(inbox))["items"]
        assert (item["assessed_class"], item["poverty_status"]) == ("average", "poor")
        assert done(api.as_("tienluong").get(inbox))["items"] == []
        forbidden(api.as_("auditor").get(inbox), "poverty:read")


class TestAccessLog:
    def test_reading_leaves_a_trace(self, api: Api, database: Database, household: Json) -> None:
        path = f"/v1/households/{household['id']}"
        api.as_("auditor").get(path)
        api.as_("phuongvi").get(path)
        api.as_("phuongvi").get("/v1/households?format=csv")
        serving(api.app).access_log.flush()
        with writing(database) as session:
            rows = session.exec(
                select(AccessRead).where(col(AccessRead.member_id) == UUID(household["id"]))
            ).all()
            assert sorted((row.how.value, row.fields) for row in rows) == [
                ("detail", "poverty"),
                ("export", "poverty"),
            ]
        log = done(api.as_("phuongvi").get(f"{path}/access-log"))["items"]
        assert {(row["how"], tuple(row["fields"])) for row in log} == {
            ("detail", ("poverty",)),
            ("export", ("poverty",)),
        }
        refused(api.as_("tienluong").get(f"{path}/access-log"), 404, "not_found")

    def test_a_member_sees_who_looked_at_her_household(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        head = free_members(database, unit_id["phuongvi-1"])[0]
        people = [{"member_id": str(head.id), "relation": "head"}]
        body = {"branch_id": unit_id["phuongvi-1"], "people": people}
        item = made(api.as_("phuongvi").post("/v1/households", json=body))
        done(api.as_("camkhe").get(f"/v1/households/{item['id']}"))
        log = done(api.as_("phuongvi").get(f"/v1/members/{head.id}/access-log"))["items"]
        assert ["poverty"] in [row["fields"] for row in log]


class TestChange:
    @pytest.mark.parametrize(
        ("before", "class_", "expected"),
        [
            ([], "poor", "new"),
            (["poor"], "poor", "still"),
            (["near_poor"], "poor", "from_near_poor"),
            (["poor", "escaped_poverty"], "poor", "relapsed"),
            (["poor"], "near_poor", "to_near_poor"),
            (["not_poor"], "near_poor", "new"),
            (["near_poor", "not_poor"], "near_poor", "relapsed"),
            (["near_poor"], "escaped_near_poverty", "escaped"),
            (["average"], "not_poor", "none"),
            ([], "average", "none"),
        ],
    )
    def test_follows_from_what_was(self, before: list[str], class_: str, expected: str) -> None:
        others = [
            PovertyStatus.model_construct(
                poverty_class=PovertyClass(each), valid_from=date(2020 + n, 1, 1)
            )
            for n, each in enumerate(before)
        ]
        found = statuses.change_of(PovertyClass(class_), date(2026, 1, 1), others)
        assert found is StatusChange(expected)
