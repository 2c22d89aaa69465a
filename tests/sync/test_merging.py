"""Two who change one record: different fields are merged, the same field waits for an officer."""

from typing import Any

import pytest
from sqlmodel import col, select

from app.api.http.server import serving
from app.db import Database
from app.models.kernel.access_log import AccessRead
from app.models.kernel.changes import Change
from app.models.kernel.sessions import AuthSession
from app.models.sync.operations import PushedOperation
from tests.helpers.answers import Json, UnitIds, pointed
from tests.helpers.client import Api, writing
from tests.helpers.operations import edit, known, operation, push, verdicts

INBOX = "/v1/sync/inbox"


def record(api: Api, member: Json) -> Json:
    found: Json = api.get(f"/v1/members/{member['id']}").json()
    return found


def corrected(api: Api, member: Json, **patch: Any) -> Json:
    answer = api.patch(f"/v1/members/{member['id']}", json=patch)
    assert answer.status_code == 200, answer.text
    return record(api, member)


def waiting(api: Api) -> list[Json]:
    found: list[Json] = api.get(INBOX).json()["items"]
    return found


class TestMerged:
    def test_other_fields(self, head: Api, officer: Api, someone: Json) -> None:
        theirs = corrected(officer, someone, occupation="Trồng chè")
        [answer] = push(head, edit(someone, address="Khu 1"))
        assert (answer["verdict"], answer["next"]) == ("merged", "pull")
        assert answer["revision"] == theirs["revision"] + 1
        [other] = answer["others"]
        assert other["fields"] == ["occupation"]
        assert other["account_id"] == officer.get("/v1/me").json()["id"]
        now = record(head, someone)
        assert (now["occupation"], now["address"]) == ("Trồng chè", "Khu 1")

    def test_the_same_value(self, head: Api, officer: Api, someone: Json) -> None:
        corrected(officer, someone, phone="0912345678")
        [answer] = push(head, edit(someone, phone="0912 345 678"))
        assert answer["verdict"] == "merged"
        assert waiting(officer) == []

    def test_what_was_changed_and_changed_back(
        self, head: Api, officer: Api, someone: Json
    ) -> None:
        corrected(officer, someone, phone="0912345678")
        corrected(officer, someone, phone=someone["phone"])
        [answer] = push(head, edit(someone, phone="0912345679"))
        assert answer["verdict"] == "merged"
        assert record(head, someone)["phone"] == "+84912345679"

    def test_edits_of_one_phone_are_no_news_to_it(self, head: Api, someone: Json) -> None:
        first, second = edit(someone, address="Khu 1"), edit(someone, address="Khu 2")
        third = edit(someone, address="Khu 3") | {"base_rev": None}
        assert verdicts(head, first, second, third) == ["applied"] * 3
        assert record(head, someone)["address"] == "Khu 3"

    def test_nor_those_that_it_names_of_another_phone(
        self, api: Api, head: Api, someone: Json
    ) -> None:
        first = edit(someone, address="Khu 1")
        push(head, first)
        other = api.as_("phuongvi-1")
        named = edit(someone, address="Khu 2") | {"depends_on": [first["op_id"]]}
        assert verdicts(other, named) == ["applied"]
        assert verdicts(api.as_("phuongvi-1"), edit(someone, address="Khu 3")) == ["conflict"]

    def test_without_a_base(self, head: Api, someone: Json) -> None:
        sent = operation("member.update", someone["id"], {"address": "Khu 1"})
        [answer] = push(head, sent)
        assert [each["pointer"] for each in answer["problem"]["errors"]] == ["/base_rev"]
        assert record(head, someone) == someone


class TestConflict:
    def test_both_values_are_kept_and_other_fields_written(
        self, head: Api, officer: Api, someone: Json
    ) -> None:
        theirs = corrected(officer, someone, phone="0912345678")
        [answer] = push(head, edit(someone, phone="0912345679", address="Khu 1"))
        assert (answer["verdict"], answer["fields"]) == ("conflict", ["phone"])
        assert answer["problem"]["code"] == "operation_conflict"
        now = record(head, someone)
        assert (now["phone"], now["address"]) == ("+84912345678", "Khu 1")
        assert now["revision"] == theirs["revision"] + 1 == answer["revision"]
        [entry] = waiting(officer)
        assert (entry["state"], entry["fields"]) == ("conflict", ["phone"])
        assert (entry["sent"], entry["present"]) == (
            {"phone": "0912345679"},
            {"phone": "+84912345678"},
        )
        assert entry["username"] == "phuongvi-1"
        assert officer.get(f"{INBOX}/{entry['id']}").json() == entry
        [work] = officer.get("/v1/me/work?kind=sync_operation").json()["items"]
        assert (work["id"], work["link"]) == (entry["id"], f"{INBOX}/{entry['id']}")

    @pytest.mark.parametrize("base", [0, 10_000])
    def test_a_revision_that_nobody_saw(self, head: Api, someone: Json, base: int) -> None:
        sent = edit(someone, address="Khu 1") | {"base_rev": base}
        assert verdicts(head, sent) == ["conflict"]
        assert record(head, someone) == someone

    def test_what_may_not_be_done_at_all_is_refused(
        self, head: Api, officer: Api, someone: Json
    ) -> None:
        corrected(officer, someone, birth_date="1970")
        [answer] = push(head, edit(someone, birth_date="1999", joined_on="1990"))
        assert (answer["verdict"], answer["problem"]["code"]) == ("refused", "validation_failed")
        assert waiting(officer) == []

    def test_accepted_as_it_was_sent(
        self, head: Api, officer: Api, someone: Json, database: Database
    ) -> None:
        corrected(officer, someone, phone="0912345678")
        sent = edit(someone, phone="0912345679")
        push(head, sent)
        [entry] = waiting(officer)
        shown = officer.get(f"{INBOX}/{entry['id']}")
        path = f"{INBOX}/{entry['id']}/accept"
        stale = officer.post(path, json={}, headers={"if-match": '"1"'})
        assert (stale.status_code, stale.json()["code"]) == (412, "stale_revision")
        answer = officer.post(path, json={}, headers={"if-match": shown.headers["etag"]})
        assert answer.status_code == 200, answer.text
        assert record(head, someone)["phone"] == "+84912345679"
        assert waiting(officer) == []
        assert known(head, sent)["verdict"] == "applied"
        assert known(head, sent)["revision"] == record(head, someone)["revision"]
        assert officer.post(path, json={}).json() == answer.json()
        declined = officer.post(f"{INBOX}/{entry['id']}/decline", json={"reason": "Không"})
        assert (declined.status_code, declined.json()["code"]) == (409, "operation_decided")
        serving(officer.app).access_log.flush()
        with writing(database) as session:
            row = session.exec(select(PushedOperation)).one()
            read = session.exec(
                select(AccessRead).where(col(AccessRead.member_id) == row.subject_id)
            ).all()
            change = session.exec(
                select(Change).where(col(Change.source_ref) == sent["op_id"])
            ).one()
            decided_in = session.get_one(AuthSession, change.session_id)
        assert change.account_id == decided_in.account_id == row.decided_by
        assert row.patch is None
        assert str(row.decided_by) == officer.get("/v1/me").json()["id"]
        assert any("phone" in each.fields for each in read)

    def test_declined_with_a_reason(self, head: Api, officer: Api, someone: Json) -> None:
        theirs = corrected(officer, someone, phone="0912345678")
        sent = edit(someone, phone="0912345679")
        push(head, sent)
        [entry] = waiting(officer)
        path = f"{INBOX}/{entry['id']}/decline"
        answer = officer.post(path, json={"reason": "Số cũ"})
        assert answer.status_code == 200, answer.text
        assert officer.post(path, json={"reason": "Số cũ"}).json() == answer.json()
        found = known(head, sent)
        assert (found["verdict"], found["problem"]["code"]) == ("refused", "operation_declined")
        assert "Số cũ" in found["problem"]["detail"]
        assert record(officer, someone) == theirs

    def test_some_of_its_fields(self, head: Api, officer: Api, someone: Json) -> None:
        corrected(officer, someone, phone="0912345678", address="Khu 9")
        push(head, edit(someone, phone="0912345679", address="Khu 1"))
        [entry] = waiting(officer)
        path = f"{INBOX}/{entry['id']}/accept"
        pointed(officer.post(path, json={"fields": ["gender"]}), "/fields", "not_in_list")
        officer.post(path, json={"fields": ["address"]})
        now = record(head, someone)
        assert (now["phone"], now["address"]) == ("+84912345678", "Khu 1")

    def test_is_seen_by_those_alone_who_may_decide(
        self, api: Api, head: Api, officer: Api, someone: Json
    ) -> None:
        corrected(officer, someone, phone="0912345678")
        push(head, edit(someone, phone="0912345679"))
        [entry] = waiting(officer)
        assert waiting(head) == waiting(api.as_("camkhe")) == [entry]
        for username in ("phuongvi-2", "tienluong", "auditor", "admin", "member"):
            stranger = api.as_(username)
            assert waiting(stranger) == []
            assert stranger.get(f"{INBOX}/{entry['id']}").status_code == 404
            for verb, body in (("accept", {}), ("decline", {"reason": "x"})):
                tried = stranger.post(f"{INBOX}/{entry['id']}/{verb}", json=body)
                assert tried.status_code == 404
        assert waiting(officer) == [entry]

    def test_of_a_hidden_field_it_tells_nothing(
        self, api: Api, head: Api, officer: Api, someone: Json
    ) -> None:
        corrected(officer, someone, ethnicity="02")
        [answer] = push(head, edit(someone, ethnicity="02"))
        assert (answer["verdict"], answer["problem"]["code"]) == ("refused", "forbidden")
        corrected(officer, someone, religion="buddhist")
        push(api.as_("camkhe"), edit(someone, religion="none"))
        [entry] = waiting(head)
        assert (entry["masked"], entry["sent"], entry["present"]) == (
            ["religion"],
            {"religion": None},
            {"religion": None},
        )
        tried = head.post(f"{INBOX}/{entry['id']}/accept", json={})
        assert (tried.status_code, tried.json()["code"]) == (403, "forbidden")
        assert len(waiting(head)) == 1


def test_filter_by_unit(head: Api, officer: Api, someone: Json, unit_id: UnitIds) -> None:
    corrected(officer, someone, phone="0912345678")
    push(head, edit(someone, phone="0912345679"))
    for name, count in (("phuongvi", 1), ("phuongvi-1", 1), ("phuongvi-2", 0)):
        found = officer.get(f"{INBOX}?unit={unit_id[name]}").json()["items"]
        assert len(found) == count
    pointed(officer.get(f"{INBOX}?unit={unit_id['tienluong']}"), "/unit", "unit_unknown")
