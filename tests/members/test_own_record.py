"""The member herself: her record, what she corrects at once, her posts, branches and groups."""

from uuid import UUID

import pytest
from sqlmodel import Session, col, select

from app.clock import local_today
from app.db import Database
from app.models.kernel.accounts import Account
from app.models.kernel.changes import Change
from app.models.members.members import Member
from tests.helpers.answers import Json, refused
from tests.helpers.client import Api, writing
from tests.helpers.reading import Reading

Ids = dict[str, int]
READS = ("member", "appointments", "memberships", "participations", "corrections", "access-log")


def account_of(session: Session, username: str) -> Account:
    return session.exec(select(Account).where(col(Account.username) == username)).one()


@pytest.fixture
def her(api: Api) -> Api:
    return api.as_("member")


@pytest.fixture
def her_id(database: Database) -> str:
    with writing(database) as session:
        return str(account_of(session, "member").member_id)


@pytest.fixture
def filled(api: Api, her_id: str) -> Json:
    """Every sensitive field of hers, as her commune's officer wrote it."""
    body = {
        "phone": "0912345678",
        "citizen_id": "025188001234",
        "id_card": "131234567",
        "ethnicity": "02",
        "religion": "catholic",
        "party": "member",
        "party_joined_on": "2015-05-19",
    }
    answer = api.as_("phuongvi").patch(f"/v1/members/{her_id}", json=body)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


class TestGetOwnRecord:
    def test_shows_all_of_it(self, her: Api, filled: Json) -> None:
        del filled["warnings"]
        assert filled["masked"] == []
        answer = her.get("/v1/me/member")
        assert answer.json() == filled
        assert answer.headers["etag"].startswith(f'"{filled["revision"]}-')
        assert her.get("/v1/me/member?fields=phone").json() == {"phone": "+84912345678"}

    def test_gives_no_way_to_anyone_elses(self, her: Api, api: Api, her_id: str) -> None:
        for path in ("/v1/members", f"/v1/members/{her_id}", "/v1/groups", "/v1/appointments"):
            assert refused(her.get(path), 403, "forbidden")["required_right"].endswith(":read")
        patched = her.patch(f"/v1/members/{her_id}", json={"phone": None})
        refused(patched, 403, "forbidden")


class TestWhoHasNoRecord(Reading):
    @pytest.mark.parametrize("path", READS)
    def test_is_told_so(self, api: Api, path: str) -> None:
        for who in ("admin", "auditor"):
            refused(api.as_(who).get(f"/v1/me/{path}"), 404, "no_own_record")

    @pytest.mark.parametrize("path", READS)
    def test_requires_sign_in(self, api: Api, path: str) -> None:
        refused(api.get(f"/v1/me/{path}"), 401, "not_authenticated")

    def test_changes_nothing(self, api: Api) -> None:
        admin = api.as_("admin")
        refused(admin.patch("/v1/me/member", json={"address": "x"}), 404, "no_own_record")
        body = {"changes": {"full_name": "Hà Thị Lan"}}
        refused(admin.post("/v1/me/corrections", json=body), 404, "no_own_record")


class TestUpdateOwnRecord:
    def test_her_contact_data_at_once(
        self, her: Api, api: Api, her_id: str, database: Database
    ) -> None:
        body = {"phone": "0987 654 321", "address": "Khu 1, xã Phượng Vĩ"}
        answer = her.patch("/v1/me/member", json=body)
        assert answer.status_code == 200, answer.text
        shown = answer.json()
        assert (shown["phone"], shown["address"]) == ("+84987654321", "Khu 1, xã Phượng Vĩ")
        assert her.get("/v1/me/member").json() == shown
        with writing(database) as session:
            row = session.get_one(Member, UUID(her_id))
            assert (row.phone, row.address) == ("+84987654321", "Khu 1, xã Phượng Vĩ")
            last = session.exec(
                select(Change)
                .where(col(Change.entity_id) == her_id, col(Change.entity) == "member")
                .order_by(col(Change.id).desc())
            ).first()
            assert last is not None
            assert last.account_id == account_of(session, "member").id
            assert set(last.after or {}) == {"phone", "address"}
        found = api.as_("phuongvi").get("/v1/members?q=654321").json()["items"]
        assert [item["id"] for item in found] == [her_id]  # found by the new number

    def test_nothing_else(self, her: Api, her_id: str, database: Database) -> None:
        before = her.get("/v1/me/member").json()
        for field, value in (
            ("full_name", "Hà Thị Khác"),
            ("citizen_id", "025188001234"),
            ("status", "left"),
            ("branch_id", 1),
        ):
            answer = her.patch("/v1/me/member", json={field: value, "address": "x"})
            [error] = refused(answer, 422, "validation_failed")["errors"]
            assert (error["pointer"], error["code"]) == (f"/{field}", "unknown_field")
            # What may be asked for as a correction is pointed at; her status may not.
            asked_for = "đề nghị đính chính" in error["hint"]
            assert asked_for is (field in ("full_name", "citizen_id"))
        [error] = refused(
            her.patch("/v1/me/member", json={"phone": "113"}), 422, "validation_failed"
        )["errors"]
        assert (error["pointer"], error["code"]) == ("/phone", "phone_invalid")
        assert her.get("/v1/me/member").json() == before

    def test_honours_if_match(self, her: Api) -> None:
        tag = her.get("/v1/me/member").headers["etag"]
        first = her.patch("/v1/me/member", json={"address": "Khu 2"}, headers={"if-match": tag})
        assert first.status_code == 200
        late = her.patch("/v1/me/member", json={"address": "Khu 3"}, headers={"if-match": tag})
        refused(late, 412, "stale_revision")
        assert her.get("/v1/me/member").json()["address"] == "Khu 2"


class TestHerLists:
    def test_her_branches_also_after_a_transfer(
        self, her: Api, api: Api, her_id: str, unit_id: Ids
    ) -> None:
        body = {"to_branch_id": unit_id["tienluong-1"]}
        moved = api.as_("camkhe").post(f"/v1/members/{her_id}/transfers", json=body)
        assert moved.status_code == 201, moved.text
        spells = her.get("/v1/me/memberships").json()["items"]
        assert [spell["branch_id"] for spell in spells] == [
            unit_id["phuongvi-1"],
            unit_id["tienluong-1"],
        ]
        assert her.get("/v1/me/member").json()["branch_id"] == unit_id["tienluong-1"]

    def test_her_posts_held_and_past_and_of_nobody_else(
        self, her: Api, api: Api, her_id: str, unit_id: Ids
    ) -> None:
        officer = api.as_("phuongvi")
        body = {"member_id": her_id, "unit_id": unit_id["phuongvi-1"], "post": "branch_deputy"}
        made = officer.post(
            "/v1/appointments", json=body | {"basis": "elected", "valid_from": "2024-01-01"}
        )
        assert made.status_code == 201, made.text
        ended = {"reason": "resigned", "effective_on": "2025-01-01"}
        assert officer.post(f"/v1/appointments/{made.json()['id']}/end", json=ended).is_success
        [post] = her.get("/v1/me/appointments").json()["items"]
        assert (post["id"], post["valid_to"]) == (made.json()["id"], "2024-12-31")
        assert post["member"]["id"] == her_id

    def test_her_groups(self, her: Api, api: Api, her_id: str, unit_id: Ids) -> None:
        officer = api.as_("phuongvi")
        group = officer.post(
            "/v1/units",
            json={
                "level": "group",
                "group_kind": "club",
                "name": "Câu lạc bộ thơ",
                "parent_id": unit_id["phuongvi"],
                "opened_on": "2020-01-01",
            },
        ).json()["id"]
        officer.post(f"/v1/groups/{group}/participations", json={"member_id": her_id})
        [item] = her.get("/v1/me/participations").json()["items"]
        assert (item["group"]["name"], item["member_id"]) == ("Câu lạc bộ thơ", her_id)
        assert item["valid_from"] == local_today().isoformat()


class TestOwnBranch:
    def test_names_her_units_and_tells_how_to_reach_the_head(
        self, api: Api, her: Api, database: Database
    ) -> None:
        with writing(database) as session:
            head = account_of(session, "phuongvi-1")
            member = session.get_one(Member, head.member_id)
            head_id = member.id
        phone = {"phone": "0987654321"}
        assert api.as_("phuongvi").patch(f"/v1/members/{head_id}", json=phone).status_code == 200
        answer = her.get("/v1/me/branch")
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert [found[level]["level"] for level in ("branch", "commune", "province")] == [
            "branch",
            "commune",
            "province",
        ]
        assert found["branch"]["name"] == "Chi hội khu 1"
        assert found["head"] == {
            "member_id": str(head_id),
            "name": member.full_name,
            "phone": "+84987654321",
        }

    def test_is_nobodys_who_has_left(self, api: Api, her: Api, her_id: str) -> None:
        left = api.as_("phuongvi").post(
            f"/v1/members/{her_id}/departures", json={"reason": "moved_away"}
        )
        assert left.status_code == 201, left.text
        nothing = dict.fromkeys(("branch", "commune", "province", "head"))
        assert her.get("/v1/me/branch").json() == nothing
        refused(api.as_("auditor").get("/v1/me/branch"), 404, "no_own_record")
