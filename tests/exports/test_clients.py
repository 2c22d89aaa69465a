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


def test_a_hundred_at_once(api: Api, officer: Api, work: Work) -> None:
    """They are counted one after another: no more are made than when they come in turn, and the others are
    asked to come again."""
    other = api.as_("phutho")
    together = Barrier(20)

    def ask(place: int) -> int:
        together.wait()
        answers = [
            (officer if (place + turn) % 2 else other).post("/v1/exports", json={"kinds": ["unit"]})
            for turn in range(5)
        ]
        refused = [answer for answer in answers if answer.status_code != 202]
        assert {answer.status_code for answer in refused} <= {429, 503}, refused
        assert all(int(answer.headers["retry-after"]) > 0 for answer in refused)
        return len(answers) - len(refused)

    with ThreadPoolExecutor(20) as threads:
        made = sum(threads.map(ask, range(20)))
    assert made == 6
    assert work() == 6
    for each in (officer, other):
        assert [item["ready_at"] is None for item in done(each.get("/v1/exports"))["items"]] == [
            False
        ] * 3
