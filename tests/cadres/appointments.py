"""What the tests of appointments share."""

from datetime import timedelta

from httpx2 import Response

from app.clock import local_today
from app.models.kernel.accounts import Account
from tests.helpers.answers import Json
from tests.helpers.cadres import (
    done,
    made,
)
from tests.helpers.client import Api


def day(offset: int) -> str:
    return (local_today() + timedelta(days=offset)).isoformat()


def ended(api: Api, appointment_id: str, **more: object) -> Json:
    body = {"reason": "resigned"} | more
    return done(api.post(f"/v1/appointments/{appointment_id}/end", json=body))


def items(answer: Response) -> list[Json]:
    found: list[Json] = done(answer)["items"]
    return found


def rights(api: Api, username: str) -> list[str]:
    found: list[str] = done(api.as_(username).get("/v1/me"))["rights"]
    return found


def transfer(api: Api, moving: Account, branch: int) -> None:
    body = {"to_branch_id": branch, "reason": "Lấy chồng"}
    answer = api.post(f"/v1/members/{moving.member_id}/transfers", json=body)
    assert made(answer)["state"] == "accepted"
