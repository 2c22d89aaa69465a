"""After a restore revisions are given a second time: what a phone wrote before it is compared with care,
and what was revoked in the lost days is not good again."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.api.http.server import serving
from app.clock import utc_now
from app.db import Database
from app.models.kernel.epochs import Epoch
from app.services.backups.reopening import reopen
from tests.helpers.answers import Json
from tests.helpers.client import Api, writing
from tests.helpers.operations import edit, push
from tests.identity.auth import refusal
from tests.identity.devices import enrolled
from tests.sync.test_former_holders import entries


def restored(database: Database) -> None:
    """As `hoiso restore` does when the rows are there."""
    database.sender.forget(list(reopen(database, [], taken_at=utc_now()).job_ids))


def cursor_of(api: Api) -> str:
    page = api.get("/v1/sync/changes?kinds=unit").json()
    assert page["checkpoint"] is True
    found: str = page["cursor"]
    return found


def told_twice(api: Api, someone: Json) -> Json:
    """She is as a phone saw her in the lost days; an officer has given the same revision again."""
    seen = someone | {"revision": someone["revision"] + 1}
    answer = api.as_("phuongvi").patch(
        f"/v1/members/{someone['id']}", json={"address": "Khu 9, sau khôi phục"}
    )
    assert answer.json()["revision"] == seen["revision"]
    return seen


@pytest.fixture
def lost(api: Api, someone: Json, database: Database) -> tuple[Json, str]:
    """What a phone saw in the lost days, and the cursor that it had then."""
    cursor = cursor_of(api.as_("phuongvi-1"))
    restored(database)
    return told_twice(api, someone), cursor


@pytest.mark.parametrize("with_cursor", [True, False])
def test_a_revision_that_was_given_twice_is_not_taken_for_the_same(
    api: Api, lost: tuple[Json, str], *, with_cursor: bool
) -> None:
    seen, cursor = lost
    more = {"cursor": cursor} if with_cursor else {}
    [answer] = push(api.as_("phuongvi-1"), edit(seen, address="Khu 1"), **more)
    assert (answer["verdict"], answer["fields"]) == ("conflict", ["address"])
    [entry] = entries(api.as_("phuongvi"))
    assert (entry["sent"], entry["present"]) == (
        {"address": "Khu 1"},
        {"address": "Khu 9, sau khôi phục"},
    )


def test_who_has_pulled_since_is_compared_as_ever(api: Api, lost: tuple[Json, str]) -> None:
    head = api.as_("phuongvi-1")
    [answer] = push(head, edit(lost[0], address="Khu 1"), cursor=cursor_of(head))
    assert answer["verdict"] == "applied"


def test_what_was_not_changed_since_is_as_it_was(
    api: Api, someone: Json, database: Database
) -> None:
    restored(database)
    [answer] = push(api.as_("phuongvi-1"), edit(someone, address="Khu 1"))
    assert answer["verdict"] == "applied"


def test_a_revision_of_before_is_compared_with_what_came_after(
    api: Api, someone: Json, lost: tuple[Json, str]
) -> None:
    [answer] = push(api.as_("phuongvi-1"), edit(someone, occupation="Trồng chè"))
    assert answer["verdict"] == "merged"


@pytest.mark.parametrize("cursor", ["cut-off", "foreign"])
def test_a_cursor_that_says_nothing_proves_nothing(
    api: Api, lost: tuple[Json, str], cursor: str
) -> None:
    given = cursor_of(api.as_("phuongvi-2")) if cursor == "foreign" else cursor
    [answer] = push(api.as_("phuongvi-1"), edit(lost[0], address="Khu 1"), cursor=given)
    assert answer["verdict"] == "conflict"


def test_a_phone_that_was_revoked_in_the_lost_days_has_to_sign_in(
    api: Api, database: Database
) -> None:
    """Its tokens are no good, and it is revoked again by who did it before."""
    stolen = enrolled(api, "phuongvi-1")
    restored(database)
    serving(api.app).signin.verified.clear()
    refusal(stolen.api.get("/v1/me"), 401, "invalid_token")
    refusal(stolen.refreshed(), 401, "refresh_refused")
    answer = stolen.api.post("/v1/sync/operations", json={"items": [{}]})
    refusal(answer, 401, "invalid_token")
    officer = api.as_("phuongvi")
    [device] = officer.get("/v1/devices").json()["items"]
    assert (device["state"], device["signed_in"]) == ("enrolled", False)
    assert officer.post(f"{stolen.path}/revoke", json={"wipe": True}).status_code == 200
    told = refusal(stolen.refreshed(), 401, "device_revoked")
    assert told["wipe"] is True


def test_without_a_restore_a_cursor_changes_nothing(
    head: Api, someone: Json, database: Database
) -> None:
    with writing(database) as session:
        session.execute(sa.update(Epoch).values(began_at=utc_now() - timedelta(days=1)))
    [answer] = push(head, edit(someone, address="Khu 1"), cursor="cut-off")
    assert answer["verdict"] == "applied"
