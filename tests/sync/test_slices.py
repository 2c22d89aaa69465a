"""What each kind says: the rows of a phone are those of the API's own lists."""

from collections.abc import Callable
from datetime import timedelta

from app.clock import local_today
from app.db import Database
from app.services.capabilities import CAPABILITIES
from app.services.kernel.manifest import manifest
from app.services.kernel.offers import DAYS_ON_A_PHONE, SyncData, Without
from tests.helpers.answers import Json, UnitIds
from tests.helpers.captures import send, tapped
from tests.helpers.client import Api
from tests.helpers.meetings import announced
from tests.helpers.phone import Phone, listed
from tests.kernel.changes import done
from tests.sync.acts import Acts

Rows = dict[str, Json]


def since() -> str:
    return (local_today() - timedelta(days=DAYS_ON_A_PHONE)).isoformat()


def records(api: Api, path: str, ids: set[str]) -> Rows:
    return {key: done(api.get(f"{path}/{key}")) for key in ids}


def of_households(api: Api, ids: set[str]) -> Rows:
    assert ids == listed(api, "/v1/households").keys()
    return records(api, "/v1/households", ids)


def of_sessions(api: Api, _: set[str]) -> Rows:
    return listed(api, "/v1/sessions", **{"from": since()})


def of_events(api: Api, ids: set[str]) -> Rows:
    sessions = {row["event_id"] for row in of_sessions(api, ids).values()}
    return {
        key: row
        for key, row in listed(api, "/v1/events").items()
        if key in sessions or not row["sessions"]
    }


def of_homes(name: str) -> Callable[[Api, set[str]], Rows]:
    """Of the households that the caller sees, one by one."""

    def rows(api: Api, _: set[str]) -> Rows:
        return {
            key: row
            for home in listed(api, "/v1/households")
            for key, row in listed(api, f"/v1/households/{home}/{name}").items()
        }

    return rows


LISTS: dict[str, Callable[[Api, set[str]], Rows]] = {
    "unit": lambda api, _: listed(api, "/v1/units", include_closed="true"),
    "member": lambda api, _: listed(api, "/v1/members", restricted="false"),
    "participation": lambda api, _: listed(
        api, "/v1/participations", **{"from": since(), "to": local_today().isoformat()}
    ),
    "appointment": lambda api, _: {
        key: row
        for key, row in listed(api, "/v1/appointments", all="true").items()
        if (row["valid_to"] or "9999") >= since()
    },
    "household": of_households,
    "event": of_events,
    "session": of_sessions,
    "attendance": lambda api, _: listed(api, "/v1/attendance", **{"from": since()}),
    "visit": of_homes("visits"),
    "support": of_homes("support"),
    "loan_figure": lambda api, _: listed(api, "/v1/loan-figures"),
    "assessment": of_homes("assessments"),
    "minutes": lambda api, _: {
        row["id"]: row
        for session in of_sessions(api, set())
        if (answer := api.get(f"/v1/sessions/{session}/minutes")).is_success
        for row in [answer.json()]
    },
    "rsvp": lambda api, _: {
        key: row
        for session in of_sessions(api, set())
        for key, row in listed(api, f"/v1/sessions/{session}/rsvps").items()
    },
}


def fill(acts: Acts) -> None:
    """Rows of every kind, in the first branch of Phượng Vĩ among others, and meetings of units above."""
    acts.branches = acts.branches[:1]
    hung = [acts.visit, acts.support, acts.decide, acts.assess, acts.lend]
    wanted = [acts.house, acts.house, *hung, acts.meet, acts.announce, acts.plan, acts.team]
    for act in [*wanted, acts.take_part, acts.answer, acts.attend, acts.assess]:
        assert any((answer := act()) and answer.is_success for _ in range(60)), act
    for host, invited in (("phuongvi", "phuongvi"), ("phutho", "phutho"), ("phutho", "phuongvi-1")):
        units = {"host_unit_ids": [acts.units[host]], "invited_unit_ids": [acts.units[invited]]}
        announced(acts.province, **units)
    for session in listed(acts.province, "/v1/sessions"):
        body = {"body": "Bàn về vốn vay", "decisions": [{"text": "Lập tổ vay vốn"}]}
        done(acts.province.patch(f"/v1/sessions/{session}/minutes", json=body))
    head = acts.api.as_("phuongvi-1")
    session, member = (min(listed(head, f"/v1/{name}")) for name in ("sessions", "members"))
    send(head, session, [tapped(member)])


def test_rows_are_those_of_the_lists(api: Api, database: Database, unit_id: UnitIds) -> None:
    fill(Acts(api, database, unit_id, seed=1))
    for username in ("phuongvi-1", "phuongvi", "phutho", "auditor"):
        mine = api.as_(username)
        phone = Phone(mine)
        phone.pull()
        rights = done(mine.get("/v1/me"))["rights"]
        for name, rows_of in LISTS.items():
            kind = manifest().sync[name]
            rows = phone.rows[name]
            if kind.right not in rights:
                assert not rows, (username, name)
                continue
            shown = kind.schema.model_fields.keys() - kind.derived
            expected = {
                key: {field: row[field] for field in shown}
                for key, row in rows_of(mine, set(rows)).items()
            }
            assert rows, (username, name)
            assert rows == expected, (username, name)


def test_every_kind_is_compared() -> None:
    assert manifest().sync.keys() == LISTS.keys()


def test_every_capability_says_what_phones_keep() -> None:
    """Its kinds, or a reason; and a kind names nothing that is not there."""
    for capability in CAPABILITIES:
        if isinstance(capability.sync, Without):
            assert len(capability.sync.because) > 10, capability.name
            continue
        for kind in capability.sync:
            if isinstance(kind, SyncData):
                assert kind.derived <= kind.schema.model_fields.keys(), kind.name
                continue
            assert kind.entity in manifest().by_entity, kind.name
            assert {follows.entity for follows in kind.follows} <= manifest().by_entity.keys()
            assert kind.parents.keys() <= manifest().sync.keys(), kind.name
            assert kind.derived <= kind.schema.model_fields.keys(), kind.name
            order = list(manifest().sync)
            earlier = order[: order.index(kind.name) + 1]
            assert kind.parents.keys() <= set(earlier), kind.name
