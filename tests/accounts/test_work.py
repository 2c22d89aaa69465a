"""One inbox of work: each kind comes, is seen by who may act and nobody else, and goes when done."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest

from app.clock import local_today, utc_now
from app.db import Database
from app.models.poverty.work import CampaignKind
from app.services.kernel.manifest import manifest
from app.services.poverty import campaigns
from tests.helpers.answers import Json, UnitIds, pointed, refused
from tests.helpers.cadres import free_members
from tests.helpers.client import Api, counted
from tests.helpers.operations import edit, push
from tests.identity.devices import enrolled
from tests.imports.test_imports import csv_file, previewed

DECISION = {"class": "poor", "decision_number": "77/QĐ-UBND"}


def day(number: int) -> str:
    return (local_today() + timedelta(days=number)).isoformat()


@dataclass
class World:
    api: Api
    database: Database
    unit_id: UnitIds
    jobs: Callable[[], int]

    @property
    def officer(self) -> Api:
        return self.api.as_("phuongvi")

    @property
    def head(self) -> Api:
        return self.api.as_("phuongvi-1")

    @property
    def branch(self) -> int:
        return self.unit_id["phuongvi-1"]

    def sent(self, api: Api, path: str, **body: object) -> Json:
        answer = api.post(path, json=body)
        assert answer.is_success, answer.text
        found: Json = answer.json()
        return found

    def woman(self, number: int = 0) -> str:
        return str(free_members(self.database, self.branch)[number].id)

    def family(self) -> str:
        people = [
            {"member_id": self.woman(), "relation": "head"},
            {"full_name": "Hà Văn Út", "relation": "child", "birth_date": "2015"},
        ]
        body = {"branch_id": self.branch, "opened_on": "2021-01-01", "people": people}
        return str(self.sent(self.officer, "/v1/households", **body)["id"])

    def poor_family(self) -> str:
        home = self.family()
        body = DECISION | {"decided_on": day(-400), "valid_from": day(-400)}
        self.sent(self.officer, f"/v1/households/{home}/poverty-status", **body)
        return home


@pytest.fixture
def world(api: Api, database: Database, unit_id: UnitIds, work: Callable[[], int]) -> World:
    return World(api, database, unit_id, work)


def work_of(api: Api, kind: str | None = None, **query: object) -> list[Json]:
    answer = api.get("/v1/me/work", params={"limit": 200, **query})
    assert answer.status_code == 200, answer.text
    items: list[Json] = answer.json()["items"]
    return [item for item in items if kind in (None, item["kind"])]


def counts(api: Api, **query: object) -> dict[str, int]:
    body = api.get("/v1/me/work/count", params=query).json()
    assert body["total"] == sum(item["count"] for item in body["items"])
    return {item["kind"]: item["count"] for item in body["items"]}


# Each kind: how it comes, and returns how it is done. Who acts, and who does not, are beside it.
Done = Callable[[], object]


def transfer(world: World) -> Done:
    path = f"/v1/members/{world.woman()}/transfers"
    asked = world.sent(world.head, path, to_branch_id=world.unit_id["tienluong-1"])
    target = world.api.as_("tienluong-1")
    return lambda: world.sent(target, f"/v1/transfers/{asked['id']}/accept")


def consent(world: World) -> Done:
    """The target asked: the source has to consent."""
    woman = free_members(world.database, world.branch)[0]
    proof = {"full_name": woman.full_name, "birth_date": woman.birth_date}
    body = {"to_branch_id": world.unit_id["tienluong-1"], **proof}
    path = f"/v1/members/{woman.id}/transfers"
    asked = world.sent(world.api.as_("tienluong-1"), path, **body)
    return lambda: world.sent(world.head, f"/v1/transfers/{asked['id']}/consent")


def correction(world: World) -> Done:
    body = {"changes": {"full_name": "Hà Thị Mơ"}}
    asked = world.sent(world.api.as_("member"), "/v1/me/corrections", **body)
    path = f"/v1/correction-requests/{asked['id']}/approve"
    return lambda: world.sent(world.officer, path)


def duplicate(world: World) -> Done:
    twin: Json = {"full_name": "Hà Thị Sen", "birth_date": "1971", "joined_on": None}
    twin |= {"branch_id": world.branch, "citizen_id": "025188001234"}
    world.sent(world.officer, "/v1/members", **twin)
    world.sent(world.officer, "/v1/members", **twin)
    [pair] = world.officer.get("/v1/duplicates").json()["items"]
    return lambda: world.sent(world.officer, f"/v1/duplicates/{pair['id']}/distinct")


def privacy_request(world: World) -> Done:
    asked = world.sent(world.api.as_("member"), "/v1/me/privacy-requests", kind="access")
    path = f"/v1/me/privacy-requests/{asked['id']}/cancel"
    return lambda: world.sent(world.api.as_("member"), path)


def support(world: World) -> Done:
    gift = {"kind": "gift", "given_on": day(0), "value_vnd": 3_000_000}
    path = f"/v1/households/{world.family()}/support"
    made = world.sent(world.head, path, **gift)
    return lambda: world.sent(world.officer, f"/v1/support/{made['id']}/approve")


def escape_path(world: World) -> Done:
    step = {"title": "Khoan giếng", "responsible": "Bà Hoa", "due_on": day(-1)}
    body = {"opened_on": day(-10), "target_on": day(300), "steps": [step]}
    path = f"/v1/households/{world.poor_family()}/escape-paths"
    made = world.sent(world.officer, path, **body)
    where = f"/v1/escape-steps/{made['steps'][0]['id']}"
    return lambda: world.officer.patch(where, json={"done_on": day(0)})


def household_head(world: World) -> Done:
    home, dead = world.family(), world.woman()
    world.sent(world.officer, f"/v1/members/{dead}/death", died_on=day(-3))
    people = world.officer.get(f"/v1/households/{home}").json()["people"]
    [child] = [person["person_id"] for person in people if person["relation"] == "child"]
    path = f"/v1/households/{home}/head"
    return lambda: world.sent(world.officer, path, head_id=child)


def an_import(world: World) -> Done:
    content = csv_file(
        ["Họ và tên", "Ngày sinh", "Chi hội"], [["Hà Thị Na", "1980", "Chi hội khu 1"]]
    )
    item = previewed(world.officer, world.jobs, world.unit_id["phuongvi"], content, name="ds.csv")

    def applied() -> None:
        world.sent(world.officer, f"/v1/imports/{item['id']}/apply")
        world.jobs()

    return applied


def review(world: World) -> Done:
    home = world.poor_family()
    assessed = {"assessed_on": day(0), "source": "official_survey", "income_per_person": 100_000}
    decided = DECISION | {
        "decision_number": "78/QĐ-UBND",
        "decided_on": day(0),
        "valid_from": day(0),
    }

    def reviewed() -> None:
        answers = {"water": True, "sanitation": True, "housing_area": True, "nutrition": True}
        codes = "employment dependants health_insurance adult_education telecom_use"
        codes += " child_schooling housing_quality information_means"
        answers |= dict.fromkeys(codes.split(), False)
        where = f"/v1/households/{home}"
        world.sent(world.officer, f"{where}/assessments", **assessed, answers=answers)
        world.sent(world.officer, f"{where}/poverty-status", **decided)

    return reviewed


def post_ending(world: World) -> Done:
    body = {"unit_id": world.branch, "post": "branch_deputy", "member_id": world.woman()}
    term = {"valid_from": day(-400), "valid_to": day(30), "basis": "elected"}
    made = world.sent(world.officer, "/v1/appointments", **body, **term)
    path = f"/v1/appointments/{made['id']}/end"
    return lambda: world.sent(world.officer, path, reason="resigned", effective_on=day(0))


def reorganisation(world: World) -> Done:
    rename = {"op": "rename", "unit_id": world.unit_id["phuongvi"], "name": "Xã Phượng Vĩ Mới"}
    body = {"effective_on": day(0), "operations": [rename]}
    path = f"/v1/reorganisations/{world.sent(world.officer, '/v1/reorganisations', **body)['id']}"
    district = world.api.as_("camkhe")
    digest = district.get(f"{path}/preview").json()["digest"]
    return lambda: world.sent(district, f"{path}/apply", digest=digest)


def unsent_records(world: World) -> Done:
    phone = enrolled(world.api, "phuongvi-1")

    def report(unsent: int) -> None:
        since = (utc_now() - timedelta(days=4)).isoformat()
        body = {"sent_at": utc_now().isoformat(), "unsent": unsent, "unsent_since": since}
        assert phone.api.post(f"{phone.path}/report", json=body).status_code == 204

    report(31)
    return lambda: report(0)


def sync_operation(world: World) -> Done:
    head, path = world.head, f"/v1/members/{world.woman()}"
    seen = head.get(path).json()
    assert world.officer.patch(path, json={"occupation": "Trồng chè"}).status_code == 200
    [answer] = push(head, edit(seen, occupation="Thợ may"))
    assert answer["verdict"] == "conflict"
    [entry] = world.officer.get("/v1/sync/inbox").json()["items"]
    return lambda: world.sent(world.officer, f"/v1/sync/inbox/{entry['id']}/decline", reason="Sai")


OTHERS = ("tienluong", "tienluong-1", "member", "auditor")
# What comes, its kind, who acts, who does not see it.
KINDS = [
    (transfer, "transfer", "tienluong-1", ("phuongvi-1", "phuongvi-2", "member", "auditor")),
    (consent, "transfer", "phuongvi-1", ("tienluong-1", "phuongvi-2", "member", "auditor")),
    (correction, "correction", "phuongvi", OTHERS),
    (duplicate, "duplicate", "phuongvi", OTHERS),
    (privacy_request, "privacy_request", "phuongvi", OTHERS),
    (support, "support", "phuongvi", (*OTHERS, "phuongvi-1")),
    (escape_path, "escape_path", "phuongvi", OTHERS),
    (household_head, "household_head", "phuongvi", OTHERS),
    (an_import, "import", "phuongvi", (*OTHERS, "phuongvi-1")),
    (review, "review", "phuongvi", OTHERS),
    (post_ending, "post_ending", "phuongvi", OTHERS),
    (unsent_records, "unsent_records", "phuongvi", (*OTHERS, "phuongvi-1")),
    (sync_operation, "sync_operation", "phuongvi", OTHERS),
    (reorganisation, "reorganisation", "camkhe", (*OTHERS, "phuongvi", "phuongvi-1")),
]


@pytest.fixture(autouse=True)
def review_is_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever month it is."""
    first, last = (local_today() + timedelta(days=days) for days in (-5, 5))
    for name in ("_yearly", "_monthly"):
        on = campaigns._read(name[1:], CampaignKind(name[1:]), first, last, last)
        monkeypatch.setattr(campaigns, name, lambda *_, on=on: on)


def test_every_kind_is_tried() -> None:
    assert {kind for _, kind, *_ in KINDS} == {work.kind for work in manifest().work}


@pytest.mark.parametrize(
    ("comes", "kind", "who", "others"), KINDS, ids=[each[0].__name__ for each in KINDS]
)
def test_comes_and_goes(
    world: World, comes: Callable[[World], Done], kind: str, who: str, others: tuple[str, ...]
) -> None:
    before = work_of(world.api.as_(who), kind)
    seen_by_others = {name: work_of(world.api.as_(name), kind) for name in others}
    done = comes(world)
    known = {item["id"] for item in before}
    [item] = [each for each in work_of(world.api.as_(who), kind) if each["id"] not in known]
    assert item["age_days"] == (local_today() - local_today().fromisoformat(item["since"])).days
    assert item["unit"]["id"] in world.unit_id.values()
    assert world.api.as_(who).get(item["link"]).status_code == 200, item
    assert counts(world.api.as_(who))[kind] == len(before) + 1
    assert {name: work_of(world.api.as_(name), kind) for name in others} == seen_by_others
    done()
    assert work_of(world.api.as_(who), kind) == before
    assert counts(world.api.as_(who)).get(kind, 0) == len(before)


@pytest.fixture
def busy(world: World) -> World:
    for comes in (correction, support, transfer):
        comes(world)
    world.sent(
        world.api.as_("tienluong-1"),
        f"/v1/members/{free_members(world.database, world.unit_id['tienluong-1'])[0].id}/transfers",
        to_branch_id=world.branch,
    )
    return world


class TestTheInbox:
    def test_is_by_kind_and_the_same_in_pages(self, busy: World) -> None:
        officer = busy.officer
        whole = work_of(officer)
        assert len(whole) >= 3
        order = [work.kind for work in manifest().work]
        assert [item["kind"] for item in whole] == sorted(
            (item["kind"] for item in whole), key=order.index
        )
        paged: list[Json] = []
        cursor: str | None = ""
        while cursor is not None:
            body = officer.get(f"/v1/me/work?limit=1{cursor and f'&cursor={cursor}'}").json()
            paged += body["items"]
            cursor = body["next_cursor"]
        assert paged == whole
        assert len(officer.get("/v1/me/work?format=ndjson").text.splitlines()) == len(whole)

    def test_is_narrowed_to_a_kind_and_a_unit(self, busy: World) -> None:
        district, unit_id = busy.api.as_("camkhe"), busy.unit_id
        answer = district.get("/v1/me/work?kind=transfer&limit=200").json()["items"]
        assert {item["unit"]["id"] for item in answer} == {busy.branch, unit_id["tienluong-1"]}
        there = counts(district, unit=unit_id["tienluong"])
        assert there["transfer"] == 1
        items = work_of(district, unit=unit_id["tienluong"])
        assert {item["unit"]["id"] for item in items if item["kind"] == "transfer"} == {
            unit_id["tienluong-1"]
        }
        unknown = busy.officer.get(f"/v1/me/work?unit={unit_id['tienluong']}")
        pointed(unknown, "/unit", "unit_unknown")
        pointed(busy.officer.get("/v1/me/work?kind=fun"), "/kind", "not_in_list")

    def test_of_somebody_without_work_is_empty(self, busy: World) -> None:
        assert work_of(busy.api.as_("member")) == []
        assert counts(busy.api.as_("member")) == {}
        refused(busy.api.get("/v1/me/work"), 401, "not_authenticated")

    def test_costs_as_many_statements_for_much_as_for_little(self, busy: World) -> None:
        costs = []
        for comes in (duplicate, privacy_request):
            comes(busy)
            with counted(busy.database) as sent:
                work_of(busy.api.as_("camkhe"))
            costs.append(len(sent))
        assert costs[0] == costs[1]
