"""What a branch head does on her phone, beside what other tests do as her."""

from app.clock import local_today
from app.db import Database
from tests.helpers.cadres import Ids, done, made
from tests.helpers.captures import hold
from tests.helpers.client import Api


def test_a_household_of_her_branch(api: Api) -> None:
    head = api.as_("phuongvi-1")
    person = {"full_name": "Hà Thị Chín", "birth_date": "1980", "relation": "head"}
    household = made(head.post("/v1/households", json={"people": [person]}))
    path = f"/v1/households/{household['id']}"
    assert done(head.patch(path, json={"merit": True}))["merit"] is True
    child = {"full_name": "Hà Văn Tí", "birth_date": "2015", "relation": "child"}
    people = done(head.post(f"{path}/people", json=child))["people"]
    [joined] = [each for each in people if each["full_name"] == "Hà Văn Tí"]
    left = {"effective_on": local_today().isoformat(), "reason": "moved_out"}
    done(head.post(f"{path}/people/{joined['person_id']}/leave", json=left))


def test_rooms_of_her_session(api: Api, database: Database, unit_id: Ids) -> None:
    head = api.as_("phuongvi-1")
    session_id = hold(database, [unit_id["phuongvi-1"]])
    room = made(head.post(f"/v1/sessions/{session_id}/rooms", json={"name": "Nhà văn hóa"}))
    assert done(head.patch(f"/v1/rooms/{room['id']}", json={"name": "Sân đình"}))["name"]


def test_sign_ins_of_her_other_phones(api: Api) -> None:
    head, other = api.as_("phuongvi-1"), api.as_("phuongvi-1")
    [lost, *_] = [
        each for each in done(head.get("/v1/auth/sessions"))["items"] if not each["current"]
    ]
    assert head.delete(f"/v1/auth/sessions/{lost['id']}").status_code == 204
    assert other.get("/v1/me").status_code == 401
    assert head.delete("/v1/auth/sessions").status_code == 204
