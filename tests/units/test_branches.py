"""Branches (chi hội): where the members are, who leads them, when anything last happened."""

from datetime import timedelta

import pytest
from httpx2 import Response
from sqlmodel import col, select

from app.clock import local_today
from app.db import Database
from app.models.kernel.access import Grant, Role
from app.models.kernel.accounts import Account, AccountStatus
from app.models.kernel.changes import Change, ChangeSource, Feed
from app.models.members.members import Member, MemberStatus
from app.services.kernel import changes, sequencer
from tests.helpers.answers import Json, UnitIds, pointed, refused
from tests.helpers.client import Api, counted, utc_now, writing
from tests.helpers.reading import Reading


def branches(answer: Response) -> dict[int, Json]:
    assert answer.status_code == 200, answer.text
    return {item["id"]: item for item in answer.json()["items"]}


def new_branch(api: Api, commune_id: int, name: str) -> int:
    body = {"level": "branch", "name": name, "parent_id": commune_id, "opened_on": "2020-01-01"}
    answer = api.post("/v1/units", json=body)
    assert answer.status_code == 201, answer.text
    branch_id: int = answer.json()["id"]
    return branch_id


def account(database: Database, username: str) -> Account:
    with writing(database) as session:
        return session.exec(select(Account).where(col(Account.username) == username)).one()


class TestListBranches(Reading):
    @pytest.mark.parametrize(
        ("who", "slugs"),
        [
            ("phutho", ["phuongvi", "tienluong"]),
            ("camkhe", ["phuongvi", "tienluong"]),
            ("auditor", ["phuongvi", "tienluong"]),
            ("phuongvi", ["phuongvi"]),
            ("tienluong", ["tienluong"]),
        ],
    )
    def test_each_officer_sees_the_branches_of_her_unit(
        self, api: Api, unit_id: UnitIds, who: str, slugs: list[str]
    ) -> None:
        expected = {unit_id[f"{slug}-{number}"] for slug in slugs for number in range(1, 5)}
        assert branches(api.as_(who).get("/v1/branches")).keys() == expected

    def test_a_head_sees_her_branch_only(self, api: Api, unit_id: UnitIds) -> None:
        head = api.as_("tienluong-2")
        assert branches(head.get("/v1/branches")).keys() == {unit_id["tienluong-2"]}

    @pytest.mark.parametrize("who", ["admin", "member"])
    def test_it_counts_members_so_it_takes_the_right_to_see_them(self, api: Api, who: str) -> None:
        body = refused(api.as_(who).get("/v1/branches"), 403, "forbidden")
        assert body["required_right"] == "members:read"

    def test_requires_login(self, api: Api) -> None:
        refused(api.get("/v1/branches"), 401, "not_authenticated")

    def test_an_item_says_who_and_how_many(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        item = branches(api.as_("phuongvi").get("/v1/branches"))[unit_id["phuongvi-3"]]
        head = account(database, "phuongvi-3")
        with writing(database) as session:
            members = session.exec(
                select(Member).where(col(Member.branch_id) == unit_id["phuongvi-3"])
            ).all()
        assert item.pop("last_activity_at").endswith("Z")
        assert item == {
            "id": unit_id["phuongvi-3"],
            "name": "Chi hội khu 3",
            "code": None,
            "commune_id": unit_id["phuongvi"],
            "commune_name": "Xã Phượng Vĩ",
            "opened_on": "1997-01-01",
            "closed_on": None,
            "member_count": len(members),
            "head": {
                "account_id": str(head.id),
                "member_id": str(head.member_id),
                "name": head.display_name,
            },
            "revision": 1,
        }

    def test_by_commune(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phutho")
        found = branches(officer.get(f"/v1/branches?commune={unit_id['tienluong']}"))
        assert {item["commune_name"] for item in found.values()} == {"Xã Tiên Lương"}
        assert len(found) == 4
        assert branches(officer.get(f"/v1/branches?commune={unit_id['camkhe']}")) == {}

    def test_a_filter_never_widens_the_scope(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phuongvi")
        assert branches(officer.get(f"/v1/branches?commune={unit_id['tienluong']}")) == {}

    @pytest.mark.parametrize("q", ["khu 2", "KHU 2", "chi hội khu 2", "hoi 2"])
    def test_q_finds_with_and_without_marks(self, api: Api, unit_id: UnitIds, q: str) -> None:
        found = branches(api.as_("phutho").get("/v1/branches", params={"q": q}))
        assert found.keys() == {unit_id["phuongvi-2"], unit_id["tienluong-2"]}

    @pytest.mark.parametrize("limit", [1, 3, 7, 8])
    def test_pages_joined_are_the_whole_list(self, api: Api, limit: int) -> None:
        officer = api.as_("phutho")
        whole = officer.get("/v1/branches").json()["items"]
        answer = officer.get(f"/v1/branches?limit={limit}").json()
        items = answer["items"]
        while answer["next_cursor"] is not None:
            answer = officer.get(
                f"/v1/branches?limit={limit}&cursor={answer['next_cursor']}"
            ).json()
            items += answer["items"]
        assert items == whole
        assert len(whole) == 8

    @pytest.mark.parametrize(
        ("query", "pointer", "code"),
        [
            ("district=1", "/district", "unknown_field"),
            ("as_of=2024-01-01", "/as_of", "unknown_field"),
            ("commune=0", "/commune", "too_small"),
            ("limit=0", "/limit", "too_small"),
            ("cursor=abc", "/cursor", "cursor_invalid"),
            ("fields=phone", "/fields", "not_in_list"),
        ],
    )
    def test_refuses_what_it_does_not_know(
        self, api: Api, query: str, pointer: str, code: str
    ) -> None:
        pointed(api.as_("phutho").get(f"/v1/branches?{query}"), pointer, code)

    def test_costs_the_same_for_two_branches_and_eight(self, api: Api, database: Database) -> None:
        officer = api.as_("phutho")
        with counted(database) as for_two:
            assert len(officer.get("/v1/branches?limit=2").json()["items"]) == 2
        with counted(database) as for_eight:
            assert len(officer.get("/v1/branches").json()["items"]) == 8
        assert len(for_two) == len(for_eight)


class TestListBranchesOverTime:
    def test_numbers_in_names_sort_as_numbers(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phuongvi")
        new_branch(officer, unit_id["phuongvi"], "Chi hội khu 10")
        found = [item["name"] for item in officer.get("/v1/branches").json()["items"]]
        assert found == [f"Chi hội khu {number}" for number in (1, 2, 3, 4, 10)]

    def test_a_new_branch_is_empty_and_has_no_head(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phuongvi")
        new = new_branch(officer, unit_id["phuongvi"], "Chi hội khu 5")
        item = branches(officer.get("/v1/branches"))[new]
        assert (item["member_count"], item["head"]) == (0, None)

    def test_a_branch_may_stand_under_the_province_itself(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phutho")
        new = new_branch(officer, unit_id["phutho"], "Chi hội Công an tỉnh")
        item = branches(officer.get("/v1/branches"))[new]
        assert (item["commune_id"], item["commune_name"]) == (None, None)
        assert new not in branches(api.as_("camkhe").get("/v1/branches"))

    def test_a_closed_branch_is_gone_the_day_after(self, api: Api, unit_id: UnitIds) -> None:
        officer = api.as_("phuongvi")
        for days, listed in ((-1, True), (0, False)):
            new = new_branch(officer, unit_id["phuongvi"], "Chi hội khu 5")
            day = (local_today() - timedelta(days=days)).isoformat()
            answer = officer.post(f"/v1/units/{new}/close", json={"effective_on": day})
            assert answer.status_code == 200, answer.text
            assert (new in branches(officer.get("/v1/branches"))) is listed

    def test_counts_those_in_the_union_today(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        officer, branch_id = api.as_("phuongvi"), unit_id["phuongvi-2"]
        before = branches(officer.get("/v1/branches"))
        with writing(database) as session:
            changes.attribute(session, changes.Origin(ChangeSource.cli))
            members = session.exec(select(Member).where(col(Member.branch_id) == branch_id)).all()
            states = (MemberStatus.left, MemberStatus.deceased, MemberStatus.transferring)
            for member, status in zip(members, states, strict=False):
                member.status = status
        after = branches(officer.get("/v1/branches"))
        assert after[branch_id]["member_count"] == before[branch_id]["member_count"] - 2
        others = before.keys() - {branch_id}
        assert [after[other]["member_count"] for other in others] == [
            before[other]["member_count"] for other in others
        ]

    @pytest.mark.parametrize(
        ("valid_from", "valid_to", "is_head"),
        [(-1, None, True), (0, None, True), (1, None, False), (-9, 0, True), (-9, -1, False)],
    )
    def test_the_head_is_who_holds_the_grant_today(
        self,
        api: Api,
        database: Database,
        unit_id: UnitIds,
        valid_from: int,
        valid_to: int | None,
        is_head: bool,
    ) -> None:
        officer = api.as_("phuongvi")
        new = new_branch(officer, unit_id["phuongvi"], "Chi hội khu 5")
        self._grant(database, "phuongvi-2", new, valid_from, valid_to)
        head = branches(officer.get("/v1/branches"))[new]["head"]
        assert (head is not None) is is_head

    def test_no_other_role_and_no_disabled_account_is_a_head(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        officer = api.as_("phuongvi")
        new = new_branch(officer, unit_id["phuongvi"], "Chi hội khu 5")
        self._grant(database, "member", new, -9, None, role=Role.auditor)
        assert branches(officer.get("/v1/branches"))[new]["head"] is None
        self._grant(database, "phuongvi-2", new, -9, None)
        assert branches(officer.get("/v1/branches"))[new]["head"] is not None
        disabled = account(database, "phuongvi-2").id
        with writing(database) as session:
            changes.attribute(session, changes.Origin(ChangeSource.cli))
            session.get_one(Account, disabled).status = AccountStatus.disabled
        assert branches(officer.get("/v1/branches"))[new]["head"] is None

    def test_who_stands_in_for_a_while_does_not_replace_the_head(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        officer = api.as_("phuongvi")
        self._grant(database, "phuongvi-2", unit_id["phuongvi-1"], -3, 30)
        head = branches(officer.get("/v1/branches"))[unit_id["phuongvi-1"]]["head"]
        assert head["account_id"] == str(account(database, "phuongvi-1").id)

    @staticmethod
    def _grant(
        database: Database,
        username: str,
        branch_id: int,
        valid_from: int,
        valid_to: int | None,
        role: Role = Role.branch_head,
    ) -> None:
        account_id, now = account(database, username).id, utc_now()
        with writing(database) as session:
            changes.attribute(session, changes.Origin(ChangeSource.cli))
            session.add(
                Grant(
                    account_id=account_id,
                    unit_id=branch_id,
                    role=role,
                    valid_from=local_today() + timedelta(days=valid_from),
                    valid_to=None if valid_to is None else local_today() + timedelta(days=valid_to),
                    created_at=now,
                    updated_at=now,
                )
            )

    def test_was_last_active_when_anything_in_it_last_changed(
        self, api: Api, database: Database, unit_id: UnitIds
    ) -> None:
        officer, branch_id = api.as_("phuongvi"), unit_id["phuongvi-2"]
        before = branches(officer.get("/v1/branches"))
        [member] = officer.get(f"/v1/members?branch={branch_id}&limit=1").json()["items"]
        assert (
            officer.patch(f"/v1/members/{member['id']}", json={"phone": "0912345678"}).status_code
            == 200
        )
        sequencer.settle(database)
        after = branches(officer.get("/v1/branches"))
        with writing(database) as session:
            at = session.exec(
                select(Change.at)
                .join(Feed, col(Feed.change_id) == col(Change.id))
                .order_by(col(Feed.seq).desc())
                .limit(1)
            ).one()
        assert after[branch_id]["last_activity_at"] == at.isoformat().replace("+00:00", "Z")
        assert after[branch_id]["last_activity_at"] > before[branch_id]["last_activity_at"]
        for other in before.keys() - {branch_id}:
            assert after[other] == before[other]
