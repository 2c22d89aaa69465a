"""A field in conflict that is written again on the same phone: one record, one entry."""

import pytest

from app.db import Database
from tests.helpers.answers import Json
from tests.helpers.client import Api
from tests.helpers.operations import edit, known, push, verdicts
from tests.helpers.races import at_commit
from tests.sync.test_former_holders import INBOX, entries


def corrected(officer: Api, someone: Json, **patch: str) -> Json:
    answer = officer.patch(f"/v1/members/{someone['id']}", json=patch)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def test_what_she_wrote_last_takes_the_place_of_the_first(
    head: Api, officer: Api, someone: Json
) -> None:
    corrected(officer, someone, address="Khu 9", occupation="Giáo viên")
    first = edit(someone, address="Khu 1", occupation="Trồng chè")
    second = edit(someone, address="Khu 2")
    assert verdicts(head, first) == ["conflict"]
    assert verdicts(head, second) == ["conflict"]
    [entry] = entries(officer)
    assert entry["sent"] == {"address": "Khu 2", "occupation": "Trồng chè"}
    assert known(head, second)["fields"] == ["address", "occupation"]
    told = known(head, first)
    assert (told["verdict"], told["problem"]["code"]) == ("refused", "operation_rewritten")
    done = officer.post(f"{INBOX}/{entry['id']}/accept", json={})
    assert done.status_code == 200, done.text
    now = officer.get(f"/v1/members/{someone['id']}").json()
    assert (now["address"], now["occupation"]) == ("Khu 2", "Trồng chè")
    assert entries(officer) == []


def test_what_she_writes_on_what_is_there_now_ends_the_conflict(
    head: Api, officer: Api, someone: Json
) -> None:
    now = corrected(officer, someone, address="Khu 9", occupation="Giáo viên")
    first = edit(someone, address="Khu 1", occupation="Trồng chè")
    push(head, first)
    assert verdicts(head, edit(now, address="Khu 3")) == ["applied"]
    [entry] = entries(officer)
    assert entry["sent"] == {"occupation": "Trồng chè"}
    told = known(head, first)
    assert (told["verdict"], told["fields"]) == ("conflict", ["occupation"])
    assert told["others"][0]["fields"] == ["address", "occupation"]
    later = head.get(f"/v1/members/{someone['id']}").json()
    assert verdicts(head, edit(later, occupation="Thợ may")) == ["applied"]
    assert entries(officer) == []
    assert known(head, first)["problem"]["code"] == "operation_rewritten"


def test_what_depends_on_what_was_written_again_is_done(
    head: Api, officer: Api, someone: Json
) -> None:
    corrected(officer, someone, address="Khu 9")
    first = edit(someone, address="Khu 1")
    second = edit(someone, address="Khu 2") | {"depends_on": [first["op_id"]]}
    both = [first["op_id"], second["op_id"]]
    third = edit(someone, occupation="Trồng lúa") | {"depends_on": both}
    assert verdicts(head, first, second, third) == ["refused", "conflict", "merged"]
    now = head.get(f"/v1/members/{someone['id']}").json()
    assert (now["address"], now["occupation"]) == ("Khu 9", "Trồng lúa")


def test_what_is_refused_takes_no_place(head: Api, officer: Api, someone: Json) -> None:
    corrected(officer, someone, address="Khu 9")
    first = edit(someone, address="Khu 1")
    never = edit(someone, address="Khu 2", birth_date="2999")
    assert verdicts(head, first, never) == ["conflict", "refused"]
    [entry] = entries(officer)
    assert entry["sent"] == {"address": "Khu 1"}


def test_two_phones_are_two_entries(api: Api, head: Api, officer: Api, someone: Json) -> None:
    """Which of them was later nobody knows."""
    corrected(officer, someone, address="Khu 9")
    other = api.as_("phuongvi-1")
    assert verdicts(head, edit(someone, address="Khu 1")) == ["conflict"]
    assert verdicts(other, edit(someone, address="Khu 2")) == ["conflict"]
    assert len(entries(officer)) == 2


@pytest.mark.race
def test_an_officer_decides_at_the_same_moment(
    head: Api, officer: Api, someone: Json, database: Database
) -> None:
    corrected(officer, someone, address="Khu 9")
    push(head, edit(someone, address="Khu 1"))
    [entry] = entries(officer)
    again = edit(someone, address="Khu 2")
    accept = f"{INBOX}/{entry['id']}/accept"
    first, second = at_commit(
        database,
        lambda: push(head, again)[0]["verdict"],
        lambda: officer.post(accept, json={}).status_code,
    )
    assert first in ("conflict", "applied", "merged")
    assert second in (200, 409)
    left = entries(officer)
    assert [each["sent"] for each in left] == ([{"address": "Khu 2"}] if left else [])
