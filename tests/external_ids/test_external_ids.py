"""What other systems call our records: entered, found by, ended, merged, erased."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlmodel import col, select

from app.clock import local_today
from app.db import Database
from app.models.external_ids.external_ids import MemberExternalId
from app.models.kernel import external_ids as references
from app.models.kernel.changes import Change
from app.services.external_ids import records
from app.services.kernel.external_ids import key_of
from tests.helpers.answers import Json, pointed, refused
from tests.helpers.cadres import Ids, done, made
from tests.helpers.client import Api, writing
from tests.imports.test_bulk import codes, lines_of, push, verdicts_of
from tests.privacy.test_erasures import Her, her

__all__ = ["her"]


@pytest.fixture
def two(officer: Api) -> list[Json]:
    items: list[Json] = done(officer.get("/v1/members?limit=2"))["items"]
    return items


def body_of(member: Json, **more: Any) -> Json:
    return {"member_id": member["id"], "system": "hoitinh", "value": "HV-1"} | more


def listed(api: Api, member: Json) -> list[Json]:
    items: list[Json] = done(api.get(f"/v1/external-ids?member={member['id']}"))["items"]
    return items


class TestEnter:
    def test_one(self, officer: Api, database: Database, two: list[Json]) -> None:
        item = made(officer.post("/v1/external-ids", json=body_of(two[0], value=" HV-1 ")))
        assert item == {
            "id": item["id"],
            "member_id": two[0]["id"],
            "household_id": None,
            "unit_id": None,
            "external_id": "hoitinh|HV-1",
            "system": "hoitinh",
            "value": "HV-1",
            "valid_from": local_today().isoformat(),
            "valid_to": None,
            "revision": 1,
        }
        again = officer.post("/v1/external-ids", json=body_of(two[0]))
        assert (again.status_code, again.json()) == (200, item)
        refused(officer.post("/v1/external-ids", json=body_of(two[1])), 409, "external_id_taken")
        assert listed(officer, two[0]) == [item]
        assert listed(officer, two[1]) == []
        found = done(officer.get("/v1/members?external_id=HOITINH|HV-1"))["items"]
        assert [each["id"] for each in found] == [two[0]["id"]]
        with writing(database) as session:
            logged = session.exec(
                select(Change).where(col(Change.entity) == "member_external_id")
            ).one()
        assert logged.after is not None
        assert logged.after["value"] != "HV-1"  # sealed, as it is stored

    def test_of_a_unit(self, officer: Api, unit_id: Ids) -> None:
        body = {"unit_id": unit_id["phuongvi-1"], "system": "khac", "value": "K1"}
        item = made(officer.post("/v1/external-ids", json=body))
        asked = done(officer.get(f"/v1/external-ids?unit={unit_id['phuongvi-1']}"))
        assert asked["items"] == [item]
        [unit] = done(officer.get("/v1/units?external_id=khac|K1"))["items"]
        assert unit["id"] == unit_id["phuongvi-1"]

    @pytest.mark.parametrize(
        ("more", "pointer", "code"),
        [
            ({"system": "nowhere"}, "/system", "external_system_unknown"),
            ({"value": "a|b"}, "/value", "external_id_form"),
            ({"value": "025168001234"}, "/value", "external_id_is_citizen_id"),
            ({"valid_from": "x"}, "/valid_from", "date_invalid"),
            ({"extra": 1}, "/extra", "unknown_field"),
            ({"member_id": str(uuid4())}, "/member_id", "member_unknown"),
        ],
    )
    def test_bad_input(
        self, officer: Api, two: list[Json], more: Json, pointer: str, code: str
    ) -> None:
        pointed(officer.post("/v1/external-ids", json=body_of(two[0]) | more), pointer, code)

    def test_of_one_record(self, officer: Api, two: list[Json], unit_id: Ids) -> None:
        both = body_of(two[0], unit_id=unit_id["phuongvi-1"])
        for body in (both, {"system": "khac", "value": "1"}):
            answer = officer.post("/v1/external-ids", json=body)
            assert refused(answer, 422, "validation_failed")["errors"][0]["code"] == (
                "external_id_of_one"
            )
        refused(officer.get("/v1/external-ids"), 422, "validation_failed")

    def test_rights(self, api: Api, two: list[Json]) -> None:
        refused(api.get(f"/v1/external-ids?member={two[0]['id']}"), 401, "not_authenticated")
        refused(api.post("/v1/external-ids", json=body_of(two[0])), 401, "not_authenticated")
        refused(api.delete(f"/v1/external-ids/{uuid4()}"), 401, "not_authenticated")
        refused(api.get("/v1/external-systems"), 401, "not_authenticated")
        stranger = api.as_("tienluong")
        refused(stranger.get(f"/v1/external-ids?member={two[0]['id']}"), 404, "not_found")
        pointed(
            stranger.post("/v1/external-ids", json=body_of(two[0])), "/member_id", "member_unknown"
        )
        item = made(api.as_("phuongvi").post("/v1/external-ids", json=body_of(two[0])))
        refused(stranger.delete(f"/v1/external-ids/{item['id']}"), 404, "not_found")
        assert stranger.get("/v1/members?external_id=hoitinh|HV-1").json()["items"] == []


class TestEnd:
    def test_is_free_for_another(self, officer: Api, two: list[Json]) -> None:
        since = (local_today() - timedelta(days=30)).isoformat()
        item = made(officer.post("/v1/external-ids", json=body_of(two[0], valid_from=since)))
        for _ in range(2):
            assert officer.delete(f"/v1/external-ids/{item['id']}").status_code == 204
        [ended] = listed(officer, two[0])
        yesterday = (local_today() - timedelta(days=1)).isoformat()
        assert (ended["valid_to"], ended["revision"]) == (yesterday, 2)
        assert done(officer.get("/v1/members?external_id=hoitinh|HV-1"))["items"] == []
        made(officer.post("/v1/external-ids", json=body_of(two[1])))
        refused(officer.delete(f"/v1/external-ids/{uuid4()}"), 404, "not_found")


class TestSystems:
    def test_are_listed(self, officer: Api) -> None:
        items = done(officer.get("/v1/external-systems"))["items"]
        assert {"hoitinh", "ho_ngheo", "khac"} <= {each["code"] for each in items}

    def test_of_one_province_and_of_an_installation(
        self, officer: Api, database: Database, two: list[Json], tmp_path: Any
    ) -> None:
        file = tmp_path / "systems.yaml"
        file.write_text(
            "systems:\n"
            "- {code: tinh_khac, vi: Khác, en: Other, provinces: ['99']}\n"
            "- {code: cua_tinh, vi: Của tỉnh, en: Ours}\n"
        )
        database.settings.external_systems_file = file
        elsewhere = officer.post("/v1/external-ids", json=body_of(two[0], system="tinh_khac"))
        pointed(elsewhere, "/system", "external_system_elsewhere")
        made(officer.post("/v1/external-ids", json=body_of(two[0], system="cua_tinh")))

    def test_a_bad_file_is_refused_at_start(self, tmp_path: Any) -> None:
        file = tmp_path / "systems.yaml"
        file.write_text("systems:\n- {code: khac, vi: a, en: b}\n")
        with pytest.raises(ValueError, match="stands twice"):
            references.systems_of(file)


class TestMerge:
    def test_the_kept_record_has_both(self, officer: Api, two: list[Json]) -> None:
        kept, gone = two
        made(officer.post("/v1/external-ids", json=body_of(kept)))
        made(officer.post("/v1/external-ids", json=body_of(gone, value="HV-2")))
        body = {"other_id": gone["id"], "reason": "Trùng người"}
        merge = made(officer.post(f"/v1/members/{kept['id']}/merges", json=body))
        assert {each["value"] for each in listed(officer, kept)} == {"HV-1", "HV-2"}
        [found] = done(officer.get("/v1/members?external_id=hoitinh|HV-2"))["items"]
        assert found["id"] == kept["id"]
        done(officer.post(f"/v1/merges/{merge['id']}/undo"))
        assert [each["value"] for each in listed(officer, gone)] == ["HV-2"]


class TestErasure:
    def test_who_was_erased_does_not_come_back(
        self, her: Her, api: Api, database: Database, unit_id: Ids
    ) -> None:
        officer = api.as_("phuongvi")
        entered = officer.post(
            "/v1/external-ids", json={"member_id": her.id, "system": "khac", "value": "X9"}
        )
        assert entered.status_code == 201, entered.text
        her.leaves()
        her.erased()
        with writing(database) as session:
            row = session.exec(select(MemberExternalId)).one()
            assert (row.value, row.valid_to) == (None, None)
        line = {
            "external_id": "khac|X9",
            "full_name": "Quách Thị Trở Lại",
            "birth_date": "1970-05-17",
            "branch_id": unit_id["phuongvi-1"],
        }
        [verdict], _ = verdicts_of(push(officer, unit_id["phuongvi"], lines_of(line)))
        assert (verdict["verdict"], codes(verdict)) == (
            "refused",
            [("external_id", "row_of_erased")],
        )
        assert officer.get("/v1/members?external_id=khac|X9").json()["items"] == []
        other = done(officer.get("/v1/members?limit=1"))["items"][0]
        body = {"member_id": other["id"], "system": "khac", "value": "X9"}
        refused(officer.post("/v1/external-ids", json=body), 409, "external_id_taken")


def test_is_found_after_the_keys_were_rotated(
    officer: Api, database: Database, two: list[Json]
) -> None:
    item = made(officer.post("/v1/external-ids", json=body_of(two[0])))
    key = key_of(database.vault, "hoitinh|HV-1")
    with database.writing() as session:
        row = session.exec(select(MemberExternalId)).one()
        assert row.key == key
        row_id = row.id
        found = records.resealed(session, row_id, {"value": "HV-2"})
    assert found == {"key": key_of(database.vault, "hoitinh|HV-2")}
    assert str(row_id) == item["id"]
