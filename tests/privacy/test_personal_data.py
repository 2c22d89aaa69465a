"""A person's copy of her data: from every table, for her and for who answers her request."""

from datetime import timedelta

import pytest

from app.clock import local_today
from app.db import Database
from app.services.kernel.manifest import manifest
from tests.helpers.answers import refused
from tests.helpers.client import Api, counted
from tests.helpers.rows import member_of


@pytest.fixture
def her_id(database: Database) -> str:
    return member_of(database, "member")


@pytest.fixture
def recorded(officer: Api, her_id: str) -> None:
    """Something in several tables."""
    path = f"/v1/members/{her_id}"
    officer.patch(path, json={"phone": "+84987612345", "occupation": "Thợ <b>may</b>"})
    officer.patch(path, json={"phone": "+84987612346"})
    evidence = {"kind": "paper", "reference": "Phiếu 12"}
    said = {
        "purpose": "contact",
        "decision": "given",
        "evidence": evidence,
        "recorded_on": (local_today() - timedelta(days=1)).isoformat(),
    }
    assert officer.post(f"{path}/consents", json=said).status_code == 201
    training = {"kind": "professional", "name": "Lớp công nghệ số"}
    made = officer.post(f"{path}/trainings", json=training).json()
    officer.delete(f"/v1/trainings/{made['id']}")
    officer.get(path)


@pytest.mark.usefixtures("recorded")
class TestCopy:
    def test_has_her_rows_of_every_table(self, api: Api, her_id: str) -> None:
        me = api.as_("member")
        me.get("/v1/me/access-log")  # writes what waits
        answer = me.get("/v1/me/personal-data")
        assert answer.status_code == 200, answer.text
        copy = answer.json()
        sections = {section["table"]: section["rows"] for section in copy["sections"]}
        assert sections.keys() >= {
            "member",
            "membership",
            "consent",
            "access_read",
            "account",
            "auth_session",
            "change",
        }
        [record] = sections["member"]
        assert record["phone"] == "+84987612346"
        assert record["full_name"]
        assert sections["consent"][0]["evidence_reference"] == "Phiếu 12"
        assert answer.headers["cache-control"] == "no-store"
        assert {unit["id"] for unit in copy["units"]} >= {record["branch_id"]}
        writers = {account["id"] for account in copy["accounts"]}
        assert sections["consent"][0]["recorded_by"] in writers
        assert {purpose["code"] for purpose in copy["purposes"]} >= {"membership", "contact"}

    def test_opens_what_is_sealed_also_in_the_log(self, api: Api) -> None:
        copy = api.as_("member").get("/v1/me/personal-data").json()
        [log] = [section["rows"] for section in copy["sections"] if section["table"] == "change"]
        phones = [entry["after"]["phone"] for entry in log if "phone" in (entry["after"] or {})]
        assert phones[-2:] == ["+84987612345", "+84987612346"]
        gone = [entry for entry in log if entry["entity"] == "training"]
        assert [entry["operation"] for entry in gone] == ["created", "deleted"]

    def test_holds_no_key_and_no_digest(self, api: Api) -> None:
        copy = api.as_("member").get("/v1/me/personal-data").json()
        internal = {holding.name: holding.internal for holding in manifest().holdings}
        for section in copy["sections"]:
            for row in section["rows"]:
                assert not row.keys() & internal.get(section["table"], frozenset())
        assert "argon2" not in str(copy)

    def test_as_a_page_to_read(self, api: Api, officer: Api, her_id: str) -> None:
        me = api.as_("member")
        page = me.get("/v1/me/personal-data", headers={"accept": "text/html"})
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "Họ và tên" in page.text
        assert "Thợ &lt;b&gt;may&lt;/b&gt;" in page.text
        assert "<b>" not in page.text
        unit = officer.get(f"/v1/members/{her_id}").json()["branch_id"]
        name = officer.get(f"/v1/units/{unit}").json()["name"]
        assert name in page.text
        english = me.get("/v1/me/personal-data?format=html", headers={"accept-language": "en"}).text
        assert "Full name" in english
        assert "default-src 'none'" in page.headers["content-security-policy"]

    def test_by_the_officer_is_noted(self, api: Api, officer: Api, her_id: str) -> None:
        mine = officer.get(f"/v1/members/{her_id}/personal-data")
        assert mine.status_code == 200
        noted = api.as_("member").get("/v1/me/access-log").json()["items"]
        assert "export" in [entry["how"] for entry in noted]

    def test_is_for_who_may_see_all_of_it(self, api: Api, her_id: str) -> None:
        path = f"/v1/members/{her_id}/personal-data"
        missing = refused(api.as_("phuongvi-1").get(path), 403, "forbidden")
        assert missing["required_right"] == "privacy:manage"
        assert refused(api.as_("auditor").get(path), 403, "forbidden")
        refused(api.as_("tienluong").get(path), 404, "not_found")
        refused(api.as_("admin").get("/v1/me/personal-data"), 404, "no_own_record")

    def test_costs_a_query_a_table(self, api: Api, database: Database) -> None:
        me = api.as_("member")
        me.get("/v1/me/personal-data")
        with counted(database) as statements:
            me.get("/v1/me/personal-data")
        assert len(statements) <= len(manifest().holdings) + 2 * 14 + 5
