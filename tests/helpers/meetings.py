"""Events as tests plan them: a meeting of the caller's own branch, unless told otherwise."""

from datetime import timedelta

from app.clock import VIETNAM, utc_now
from tests.helpers.answers import Json
from tests.helpers.client import Api


def at(days: int, hour: int = 19) -> str:
    """An instant so many days from today, at an hour of Vietnam."""
    day = utc_now().astimezone(VIETNAM) + timedelta(days=days)
    return day.replace(hour=hour, minute=0, second=0, microsecond=0).isoformat()


def sitting(days: int = 7, **more: object) -> Json:
    return {"starts_at": at(days, 19), "ends_at": at(days, 21), **more}


def meeting(**more: object) -> Json:
    return {"title": "Sinh hoạt tháng 12", "kind": "meeting", "sessions": [sitting()]} | more


def made(api: Api, **more: object) -> Json:
    answer = api.post("/v1/events", json=meeting(**more))
    assert answer.status_code == 201, answer.text
    body: Json = answer.json()
    return body


def sessions(api: Api, event: Json) -> list[Json]:
    answer = api.get(f"/v1/events/{event['id']}/sessions")
    assert answer.status_code == 200, answer.text
    items: list[Json] = answer.json()["items"]
    return items


def acted(api: Api, path: str, body: Json | None = None) -> Json:
    answer = api.post(path, json=body)
    assert answer.status_code == 200, answer.text
    done: Json = answer.json()
    return done


def announced(api: Api, **more: object) -> tuple[str, str]:
    """An event that was announced and its first session: the ids."""
    event = made(api, **more)
    acted(api, f"/v1/events/{event['id']}/announce")
    return event["id"], sessions(api, event)[0]["id"]


def items(api: Api, path: str) -> list[Json]:
    answer = api.get(path)
    assert answer.status_code == 200, answer.text
    found: list[Json] = answer.json()["items"]
    return found
