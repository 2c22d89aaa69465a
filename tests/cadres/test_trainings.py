"""Training and qualifications of cadres."""

from typing import Any
from uuid import uuid4

import pytest
from sqlmodel import col, func, select

from app.db import Database
from app.models.cadres.trainings import Training, TrainingKind
from app.models.kernel.changes import Change
from tests.helpers.answers import Json, pointed, refused
from tests.helpers.cadres import Ids, account, done, forbidden, made
from tests.helpers.client import Api, counted, writing
from tests.helpers.reading import Reading

COURSE = {
    "kind": "political_theory",
    "name": "Trung cấp lý luận chính trị",
    "level": "Trung cấp",
    "institution": "Trường Chính trị tỉnh",
    "started_on": "2022-09-01",
    "completed_on": "2023-06-30",
    "certificate_number": "123/TC",
}


def count(database: Database, model: type[Any]) -> int:
    with writing(database) as session:
        return session.exec(select(func.count()).select_from(model)).one()


def path_of(database: Database, username: str = "phuongvi-1") -> str:
    return f"/v1/members/{account(database, username).member_id}/trainings"


class TestRequiresLogin(Reading):
    def test_every_endpoint(self, api: Api) -> None:
        for method, path in (
            ("GET", f"/v1/members/{uuid4()}/trainings"),
            ("POST", f"/v1/members/{uuid4()}/trainings"),
            ("PATCH", f"/v1/trainings/{uuid4()}"),
            ("DELETE", f"/v1/trainings/{uuid4()}"),
        ):
            refused(api.request(method, path), 401, "not_authenticated")


class TestCreateTraining:
    def test_enters_one(self, api: Api, database: Database, unit_id: Ids) -> None:
        officer, member_id = api.as_("phuongvi"), account(database, "phuongvi-1").member_id
        item = made(officer.post(path_of(database), json=COURSE))
        expected = COURSE | {"id": item["id"], "member_id": str(member_id), "revision": 1}
        assert item == expected
        with writing(database) as session:
            stored = session.exec(select(Training)).one()
            logged = session.exec(select(Change).where(col(Change.entity) == "training")).one()
        assert (stored.member_id, stored.province_id) == (member_id, unit_id["phutho"])
        assert stored.kind is TrainingKind.political_theory
        assert logged.after is not None
        assert logged.after["name"] == COURSE["name"]
        assert done(api.as_("phuongvi-1").get(path_of(database)))["items"] == [item]

    def test_only_kind_and_name_are_needed(self, api: Api, database: Database) -> None:
        body = {"kind": "language", "name": " Tiếng Anh "}
        item = made(api.as_("phuongvi").post(path_of(database), json=body))
        assert item["name"] == "Tiếng Anh"
        assert [item[name] for name in COURSE if name not in body] == [None] * 5

    def test_sent_twice_with_an_id_makes_one(self, api: Api, database: Database) -> None:
        officer, body = api.as_("phuongvi"), COURSE | {"id": str(uuid4())}
        item = made(officer.post(path_of(database), json=body))
        again = officer.post(path_of(database), json=body)
        assert (again.status_code, again.json()) == (200, item)
        other = officer.post(path_of(database), json=body | {"level": None})
        refused(other, 409, "id_taken")
        refused(officer.post(path_of(database, "phuongvi-2"), json=body), 409, "id_taken")
        assert count(database, Training) == 1

    @pytest.mark.parametrize(
        ("sent", "pointer", "code"),
        [
            ({"kind": "cooking"}, "/kind", "not_in_list"),
            ({"name": " "}, "/name", "too_short"),
            ({"name": "x" * 201}, "/name", "too_long"),
            ({"started_on": "2023-07-01"}, "/completed_on", "dates_reversed"),
            ({"completed_on": "2023-02-29"}, "/completed_on", "date_invalid"),
            ({"member_id": str(uuid4())}, "/member_id", "unknown_field"),
        ],
    )
    def test_fields_wrong(
        self, api: Api, database: Database, sent: Json, pointer: str, code: str
    ) -> None:
        answer = api.as_("phuongvi").post(path_of(database), json=COURSE | sent)
        pointed(answer, pointer, code)
        assert count(database, Training) == 0

    def test_who_may_not(self, api: Api, database: Database) -> None:
        path = path_of(database)
        for name in ("phuongvi-1", "auditor"):
            forbidden(api.as_(name).post(path, json=COURSE), "appointments:write")
        for name in ("admin", "member"):
            forbidden(api.as_(name).post(path, json=COURSE), "members:read")
        for name in ("tienluong", "phuongvi-2"):
            refused(api.as_(name).post(path, json=COURSE), 404, "not_found")
        nobody = f"/v1/members/{uuid4()}/trainings"
        refused(api.as_("phuongvi").post(nobody, json=COURSE), 404, "not_found")
        assert count(database, Training) == 0


class TestListTrainings:
    def test_pages_and_filter(self, api: Api, database: Database) -> None:
        officer, path = api.as_("phuongvi"), path_of(database)
        entered = [
            made(officer.post(path, json=COURSE | {"name": f"Lớp {n}", "kind": kind}))
            for n, kind in enumerate(("language", "informatics", "language"))
        ]
        first = done(officer.get(f"{path}?limit=2"))
        rest = done(officer.get(f"{path}?limit=2&cursor={first['next_cursor']}"))
        assert first["items"] + rest["items"] == entered
        assert rest["next_cursor"] is None
        of_kind = done(officer.get(f"{path}?kind=language"))["items"]
        assert of_kind == [entered[0], entered[2]]
        assert done(officer.get(path_of(database, "phuongvi-2")))["items"] == []
        with counted(database) as statements:
            done(officer.get(path))
        with counted(database) as before:
            done(officer.get("/v1/posts"))
        assert len(statements) == len(before) + 2

    def test_who_may_not(self, api: Api, database: Database) -> None:
        for name in ("tienluong", "phuongvi-2"):
            refused(api.as_(name).get(path_of(database)), 404, "not_found")
        for name in ("admin", "member"):
            forbidden(api.as_(name).get(path_of(database)), "members:read")


class TestUpdateTraining:
    def test_corrects_an_entry(self, api: Api, database: Database) -> None:
        officer = api.as_("phuongvi")
        answer = officer.post(path_of(database), json=COURSE)
        item, path = made(answer), f"/v1/trainings/{answer.json()['id']}"
        sent = {"name": "Cao cấp", "level": None, "completed_on": None}
        tag = {"if-match": answer.headers["etag"]}
        assert done(officer.patch(path, json=sent, headers=tag)) == item | sent | {"revision": 2}
        refused(officer.patch(path, json=sent, headers=tag), 412, "stale_revision")
        early = officer.patch(path, json={"completed_on": "2022-08-31"})
        pointed(early, "/completed_on", "dates_reversed")
        pointed(officer.patch(path, json={"name": None}), "/name", "not_null")
        assert done(officer.get(path_of(database)))["items"] == [item | sent | {"revision": 2}]

    def test_who_may_not(self, api: Api, database: Database) -> None:
        item = made(api.as_("phuongvi").post(path_of(database), json=COURSE))
        path = f"/v1/trainings/{item['id']}"
        for method, body in (("PATCH", {"name": "x"}), ("DELETE", None)):
            for name in ("phuongvi-1", "auditor"):
                answer = api.as_(name).request(method, path, json=body)
                forbidden(answer, "appointments:write")
            for name in ("admin", "member"):
                answer = api.as_(name).request(method, path, json=body)
                forbidden(answer, "appointments:read")
            refused(api.as_("tienluong").request(method, path, json=body), 404, "not_found")
            nothing = f"/v1/trainings/{uuid4()}"
            refused(api.as_("phuongvi").request(method, nothing, json=body), 404, "not_found")
        assert done(api.as_("phuongvi").get(path_of(database)))["items"] == [item]


class TestDeleteTraining:
    def test_removes_it_and_the_log_keeps_it(self, api: Api, database: Database) -> None:
        officer = api.as_("phuongvi")
        item = made(officer.post(path_of(database), json=COURSE))
        answer = officer.delete(f"/v1/trainings/{item['id']}")
        assert (answer.status_code, answer.content) == (204, b"")
        assert count(database, Training) == 0
        logged = done(officer.get(f"/v1/changes?kinds=training&entity_id={item['id']}"))["items"]
        assert [one["operation"] for one in logged] == ["created", "deleted"]
        assert logged[-1]["before"]["certificate_number"] == "123/TC"
        refused(officer.delete(f"/v1/trainings/{item['id']}"), 404, "not_found")
