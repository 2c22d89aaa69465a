"""A program of another system exports with its own account."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from tests.exports.asking import Work, exported, rows_of
from tests.helpers.answers import UnitIds
from tests.helpers.client import Api
from tests.helpers.programs import ABOUT
from tests.kernel.changes import done


def test_a_client_exports_what_it_may_read(api: Api, work: Work, unit_id: UnitIds) -> None:
    commune = unit_id["phuongvi"]
    body = ABOUT | {"username": "so-noi-vu", "display_name": "Sở Nội vụ"}
    grants = [{"unit_id": commune, "role": "integration_reader"}]
    asked = body | {"unit_id": commune, "grants": grants}
    made = done(api.as_("phutho").post("/v1/accounts", json=asked))
    basic = ("so-noi-vu", made["client_secret"])
    answer = api.client.post(
        "/v1/auth/token", data={"grant_type": "client_credentials"}, auth=basic
    )
    token = answer.json()["access_token"]
    client = Api(api.app, {"authorization": f"Bearer {token}"}, "so-noi-vu")
    manifest = exported(client, work, kinds=["unit", "member"])
    members = rows_of(client, manifest, "member")
    assert members
    assert {row["commune_id"] for row in members.values()} == {commune}
    later = exported(client, work, since=manifest["watermark"])
    assert {file["kind"]: file["rows"] for file in later["files"]} == {
        "unit": 0,
        "member": 0,
        "deletion": 0,
    }


def test_many_asked_for_at_the_same_moment(api: Api, officer: Api) -> None:
    """They are counted one after another: no more are made than when they come in turn."""
    together = Barrier(8)

    def ask(_: int) -> int:
        together.wait()
        return officer.post("/v1/exports", json={"kinds": ["unit"]}).status_code

    with ThreadPoolExecutor(8) as threads:
        answers = sorted(threads.map(ask, range(8)))
    assert answers == [202] * 3 + [429] * 5
