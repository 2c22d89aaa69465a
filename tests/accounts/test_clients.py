"""Programs of other systems: what is known of them, their secrets, their networks and their end."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from httpx2 import Response
from sqlmodel import col, select
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from app.api.http.server import serving
from app.clock import local_today, utc_now
from app.db import Database
from app.models.identity.clients import ClientSecret
from app.models.kernel.accounts import Account
from app.models.kernel.changes import Change
from app.models.kernel.sessions import AuthSession
from app.security.secret_texts import digest
from app.services.accounts import expiring
from app.services.kernel.actors import load_actor_of_job
from tests.accounts.accounts import account, exceeds, pointers, refusal, secrets_of
from tests.helpers.answers import Json
from tests.helpers.cadres import Ids, done, forbidden, free_members, made
from tests.helpers.client import Api, as_written, writing
from tests.helpers.in_process import client_of
from tests.helpers.programs import ABOUT

NAME = "so-noi-vu"
SOON = timedelta(days=10)


@pytest.fixture
def program(officer: Api, unit_id: Ids) -> Json:
    return entered(officer, unit_id)


def entered(officer: Api, unit_id: Ids, **more: object) -> Json:
    commune = unit_id["phuongvi"]
    grants = [{"unit_id": commune, "role": "integration_reader"}]
    body = {"username": NAME, "display_name": "Sở Nội vụ", "unit_id": commune, "grants": grants}
    return made(officer.post("/v1/accounts", json=body | ABOUT | more))


def sign_in(api: Api, secret: str, client: Any = None) -> Response:
    form = {"grant_type": "client_credentials", "client_id": NAME, "client_secret": secret}
    answer: Response = (client or api).post("/v1/auth/token", data=form)
    return answer


def opened(api: Api, secret: str) -> Api:
    token = done(sign_in(api, secret))["access_token"]
    return Api(api.app, {"authorization": f"Bearer {token}"}, NAME)


def from_address(api: Api, address: str) -> Api:
    moved = Api(api.app, api.headers, api.username)
    moved.client = client_of(api.app, (address, 9))
    return moved


def credentials(officer: Api, program: Json) -> str:
    return f"/v1/accounts/{program['id']}/credentials"


class TestWhatIsKnown:
    def test_is_shown_changed_and_logged(
        self, officer: Api, database: Database, program: Json
    ) -> None:
        path = f"/v1/accounts/{program['id']}"
        shown = done(officer.get(path))
        assert {name: shown[name] for name in ABOUT} == ABOUT
        assert (shown["networks"], shown["valid_to"]) == (None, None)
        last = (local_today() + SOON).isoformat()
        change = {"purpose": "Khác", "networks": ["10.1.2.3", "2001:DB8::/48"], "valid_to": last}
        changed = done(officer.patch(path, json=change))
        assert changed["networks"] == ["10.1.2.3/32", "2001:db8::/48"]
        assert (changed["purpose"], changed["valid_to"]) == ("Khác", last)
        assert changed["contact"] == ABOUT["contact"]
        log = done(officer.get(f"/v1/changes?kinds=account&entity_id={program['id']}"))["items"]
        after = [each["after"] for each in log if each["operation"] == "updated"]
        assert after == [change | {"networks": changed["networks"]}]

    @pytest.mark.parametrize("name", ["purpose", "contact"])
    def test_every_program_has_a_purpose_and_a_contact(
        self, officer: Api, unit_id: Ids, name: str
    ) -> None:
        body = {"username": NAME, "display_name": "x", "unit_id": unit_id["phuongvi"]} | ABOUT
        answer = officer.post("/v1/accounts", json={**body, name: None})
        assert pointers(answer) == [(f"/{name}", "required")]

    @pytest.mark.parametrize(
        "networks",
        [["10.1.2.3/8"], ["10.1.2"], ["::ffff:10.0.0.0/104"], ["x"], [""], ["10.0.0.0/33"]],
    )
    def test_what_is_no_network(self, officer: Api, program: Json, networks: list[str]) -> None:
        answer = officer.patch(f"/v1/accounts/{program['id']}", json={"networks": networks})
        assert pointers(answer) == [("/networks/0", "network_invalid")]

    def test_neither_no_network_nor_too_many_nor_a_day_that_is_over(
        self, officer: Api, program: Json
    ) -> None:
        path = f"/v1/accounts/{program['id']}"
        many = [f"10.0.{each}.0/24" for each in range(51)]
        for networks, code in (([], "too_short"), (many, "too_long")):
            answer = officer.patch(path, json={"networks": networks})
            assert pointers(answer) == [("/networks", code)]
        over = (local_today() - timedelta(days=1)).isoformat()
        assert pointers(officer.patch(path, json={"valid_to": over})) == [
            ("/valid_to", "date_in_past")
        ]
        assert done(officer.get(path))["revision"] == program["revision"]

    def test_a_person_has_none_of_it(self, officer: Api, database: Database, unit_id: Ids) -> None:
        person = {"username": "lan", "display_name": "Lan", "unit_id": unit_id["phuongvi"]}
        told = refusal(officer.post("/v1/accounts", json=person | {"purpose": "x"}), 409, KIND)
        assert told["detail"].endswith("loại phần mềm.")
        head = account(database, "phuongvi-1")
        path = f"/v1/accounts/{head.id}"
        refusal(officer.patch(path, json={"valid_to": "2999-01-01"}), 409, KIND)
        for answer in (
            officer.get(f"{path}/credentials"),
            officer.post(f"{path}/credentials", json={}),
            officer.get(f"{path}/usage"),
        ):
            refusal(answer, 409, KIND)
        assert account(database, "phuongvi-1") == head

    def test_who_may_do_less_narrows_and_does_not_widen(self, api: Api, unit_id: Ids) -> None:
        last = (local_today() + SOON).isoformat()
        program = entered(api.as_("phuongvi"), unit_id, networks=["10.0.0.0/8"])
        admin, path = api.as_("admin"), f"/v1/accounts/{program['id']}"
        narrower = {"networks": ["10.1.0.0/16"], "valid_to": last}
        assert done(admin.patch(path, json=narrower))["networks"] == ["10.1.0.0/16"]
        for wider in (
            {"networks": None},
            {"networks": ["10.0.0.0/8"]},
            {"networks": ["2001:db8::/32"]},
            {"valid_to": None},
            {"valid_to": (local_today() + SOON + timedelta(days=1)).isoformat()},
        ):
            assert exceeds(admin.patch(path, json=wider)) == "appointments:read"
            assert narrower.items() <= done(admin.get(path)).items()
            done(api.as_("phuongvi").patch(path, json=wider))
            done(api.as_("phuongvi").patch(path, json=narrower))


KIND = "wrong_account_kind"


class TestSecrets:
    def test_two_at_a_time_and_no_third(
        self, api: Api, officer: Api, database: Database, program: Json
    ) -> None:
        path = credentials(officer, program)
        last = (local_today() + SOON).isoformat()
        issued = officer.post(path, json={"other_valid_to": last})
        second = made(issued)
        assert issued.headers["cache-control"] == "no-store"
        assert (second["valid_to"], second["last_used_at"]) == (None, None)
        shown = done(officer.get(path))["items"]
        assert [each["valid_to"] for each in shown] == [last, None]
        assert second["client_secret"] not in str(shown)
        for secret in (program["client_secret"], second["client_secret"]):
            assert sign_in(api, secret).status_code == 200
        refusal(officer.post(path, json={}), 409, "two_secrets")
        stored = secrets_of(database, program["id"])
        assert [each.digest for each in stored] == [
            digest(program["client_secret"]),
            digest(second["client_secret"]),
        ]

    def test_a_revoked_one_ends_what_it_opened_and_nothing_else(
        self, api: Api, officer: Api, database: Database, program: Json
    ) -> None:
        path = credentials(officer, program)
        second = made(officer.post(path, json={}))
        old, new = opened(api, program["client_secret"]), opened(api, second["client_secret"])
        first = done(officer.get(path))["items"][0]["id"]
        assert officer.delete(f"{path}/{first}").status_code == 204
        refusal(old.get("/v1/me"), 401, "invalid_token")
        assert done(new.get("/v1/me"))["username"] == NAME
        refusal(sign_in(api, program["client_secret"]), 401, "bad_credentials")
        assert sign_in(api, second["client_secret"]).status_code == 200
        refusal(officer.delete(f"{path}/{first}"), 404, "not_found")
        assert [each["id"] for each in done(officer.get(path))["items"]] == [second["id"]]
        third = made(officer.post(path, json={}))
        log = done(officer.get(f"/v1/changes?kinds=client_secret&entity_id={first}"))["items"]
        assert [each["operation"] for each in log] == ["created", "updated"]
        assert log[0]["after"]["digest"] == "set"
        logged = str(log) + str(_changes(database))
        for secret in (program, second, third):
            assert secret["client_secret"] not in logged
            assert digest(secret["client_secret"]) not in logged

    def test_one_that_is_over_is_refused_by_its_day(
        self, api: Api, officer: Api, database: Database, program: Json
    ) -> None:
        path = credentials(officer, program)
        made(officer.post(path, json={"valid_to": local_today().isoformat()}))
        over = local_today() - timedelta(days=1)
        with writing(database) as session:
            first = col(ClientSecret.digest) == digest(program["client_secret"])
            session.execute(sa.update(ClientSecret).where(first).values(valid_to=over))
        told = refusal(sign_in(api, program["client_secret"]), 403, "client_expired")
        assert as_written(over) in told["detail"]
        refusal(sign_in(api, "another"), 401, "bad_credentials")
        assert len(done(officer.get(path))["items"]) == 1
        made(officer.post(path, json={}))

    def test_its_sign_ins_end_with_its_last_day(
        self, api: Api, officer: Api, database: Database, program: Json
    ) -> None:
        today = local_today().isoformat()
        second = made(officer.post(credentials(officer, program), json={"valid_to": today}))
        token = done(sign_in(api, second["client_secret"]))
        with writing(database) as session:
            [opened_] = session.exec(
                select(AuthSession).where(col(AuthSession.key_id).is_not(None))
            )
        assert local_today() <= opened_.expires_at.date()
        left = (opened_.expires_at - utc_now()).total_seconds()
        assert left - 5 < token["expires_in"] <= 900

    def test_a_reset_ends_both(
        self, api: Api, officer: Api, database: Database, program: Json
    ) -> None:
        second = made(officer.post(credentials(officer, program), json={}))
        new = done(officer.post(f"/v1/accounts/{program['id']}/reset"))["client_secret"]
        for secret, status in (
            (program["client_secret"], 401),
            (second["client_secret"], 401),
            (new, 200),
        ):
            assert sign_in(api, secret).status_code == status
        good = [each for each in secrets_of(database, program["id"]) if each.revoked_at is None]
        assert [each.digest for each in good] == [digest(new)]

    def test_days_that_are_over_and_another_that_is_not_there(
        self, officer: Api, database: Database, program: Json
    ) -> None:
        path = credentials(officer, program)
        over = (local_today() - timedelta(days=1)).isoformat()
        for name in ("valid_to", "other_valid_to"):
            answer = officer.post(path, json={name: over})
            assert pointers(answer) == [(f"/{name}", "date_in_past")]
        [first] = done(officer.get(path))["items"]
        assert first["valid_to"] is None
        officer.delete(f"{path}/{first['id']}")
        answer = officer.post(path, json={"other_valid_to": local_today().isoformat()})
        assert pointers(answer) == [("/other_valid_to", "not_together")]

    def test_whose_rights_reach_so_far(self, api: Api, unit_id: Ids, program: Json) -> None:
        path, usage = credentials(api, program), f"/v1/accounts/{program['id']}/usage"
        [first] = done(api.as_("phuongvi").get(path))["items"]
        other = api.as_("tienluong")
        for answer in (
            other.get(path),
            other.post(path, json={}),
            other.delete(f"{path}/{first['id']}"),
            other.get(usage),
        ):
            refusal(answer, 404, "not_found")
        forbidden(api.as_("phuongvi-1").get(path), "accounts:read")
        auditor = api.as_("auditor")
        assert done(auditor.get(path))["items"][0]["id"] == first["id"]
        forbidden(auditor.post(path, json={}), "accounts:write")
        forbidden(auditor.delete(f"{path}/{first['id']}"), "accounts:write")
        # It would let her in: to take one away it does not.
        assert exceeds(api.as_("admin").post(path, json={})) == "appointments:read"
        assert api.as_("admin").delete(f"{path}/{first['id']}").status_code == 204

    def test_who_was_shown_one_must_hold_what_is_granted_later(
        self, api: Api, officer: Api, unit_id: Ids
    ) -> None:
        program = entered(officer, unit_id, grants=[])
        path = credentials(officer, program)
        shown = made(api.as_("admin").post(path, json={}))
        third = {"unit_id": unit_id["phuongvi"], "role": "integration_reader"}
        grants = f"/v1/accounts/{program['id']}/grants"
        refusal(officer.post(grants, json=third), 409, "reset_first")
        # Who comes after her hides nothing of it.
        first = done(officer.get(path))["items"][0]["id"]
        officer.delete(f"{path}/{first}")
        made(officer.post(path, json={}))
        refusal(officer.post(grants, json=third), 409, "reset_first")
        officer.delete(f"{path}/{shown['id']}")
        made(officer.post(grants, json=third))

    def test_of_two_asked_for_at_once_one_is_given(
        self, officer: Api, database: Database, program: Json
    ) -> None:
        path, together = credentials(officer, program), Barrier(2)

        def ask(_: int) -> int:
            together.wait()
            return officer.post(path, json={}).status_code

        with ThreadPoolExecutor(2) as threads:
            assert sorted(threads.map(ask, range(2))) == [201, 409]
        assert len(secrets_of(database, program["id"])) == 2

    def test_a_replay_shows_none(self, officer: Api, program: Json) -> None:
        path, key = credentials(officer, program), {"idempotency-key": "khoa-moi"}
        first = made(officer.post(path, json={}, headers=key))
        again = made(officer.post(path, json={}, headers=key))
        assert again == first | {"client_secret": None}


def _changes(database: Database) -> list[Any]:
    with writing(database) as session:
        return [(row.before, row.after) for row in session.exec(select(Change))]


class TestNetworks:
    @pytest.fixture
    def program(self, officer: Api, unit_id: Ids) -> Json:
        return entered(officer, unit_id, networks=["10.1.0.0/16", "2001:db8:7::/48"])

    @pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8:7::1"])
    def test_from_there_it_comes_in(self, api: Api, program: Json, address: str) -> None:
        there = from_address(api, address)
        token = done(sign_in(api, program["client_secret"], there))["access_token"]
        mine = from_address(Api(api.app, {"authorization": f"Bearer {token}"}, NAME), address)
        assert done(mine.get("/v1/me"))["username"] == NAME

    @pytest.mark.parametrize("address", ["10.2.0.1", "2001:db8:8::1", "::1", "unknown", ""])
    def test_from_elsewhere_neither_secret_nor_token_is_good(
        self, api: Api, officer: Api, program: Json, address: str
    ) -> None:
        elsewhere = from_address(api, address)
        told = refusal(
            sign_in(api, program["client_secret"], elsewhere), 403, "network_not_allowed"
        )
        assert address in told["detail"]
        # Without a secret of it nobody learns whether it exists.
        refusal(sign_in(api, "wrong", elsewhere), 401, "bad_credentials")
        mine = api.as_(NAME)
        refusal(from_address(mine, address).get("/v1/members"), 403, "network_not_allowed")
        usage = done(officer.get(f"/v1/accounts/{program['id']}/usage"))["items"]
        counted = {each["operation"]: (each["requests"], each["refused"]) for each in usage}
        assert counted == {"sign_in": (1, 1), "list_members": (1, 1)}

    def test_a_change_of_them_holds_at_once(self, api: Api, officer: Api, program: Json) -> None:
        mine = from_address(api.as_(NAME), "192.0.2.7")
        refusal(mine.get("/v1/me"), 403, "network_not_allowed")
        path = f"/v1/accounts/{program['id']}"
        done(officer.patch(path, json={"networks": ["192.0.2.0/24"]}))
        assert done(mine.get("/v1/me"))["username"] == NAME
        done(officer.patch(path, json={"networks": None}))
        assert from_address(mine, "203.0.113.9").get("/v1/me").status_code == 200

    @pytest.mark.parametrize(
        ("peer", "forwarded", "status"),
        [
            ("172.16.0.1", "10.1.2.3", 200),
            ("172.16.0.1", "10.9.9.9", 403),
            # What a client writes in front of what the proxy adds is not believed.
            ("172.16.0.1", "10.1.2.3, 10.9.9.9", 403),
            ("10.9.9.9", "10.1.2.3", 403),
        ],
    )
    def test_behind_a_proxy_that_is_trusted_and_one_that_is_not(
        self, api: Api, app: FastAPI, program: Json, peer: str, forwarded: str, status: int
    ) -> None:
        through_proxy: Any = ProxyHeadersMiddleware
        behind = client_of(through_proxy(app, trusted_hosts="172.16.0.1"), (peer, 9))
        headers = api.as_(NAME).headers | {"x-forwarded-for": forwarded}
        assert behind.get("/v1/me", headers=headers).status_code == status

    def test_people_come_from_anywhere(self, api: Api, program: Json) -> None:
        assert from_address(api.as_("phuongvi"), "203.0.113.9").get("/v1/me").status_code == 200


class TestTheEnd:
    def test_after_its_last_day_it_is_out(
        self, api: Api, officer: Api, database: Database, program: Json
    ) -> None:
        mine = opened(api, program["client_secret"])
        path = f"/v1/accounts/{program['id']}"
        done(officer.patch(path, json={"valid_to": local_today().isoformat()}))
        assert done(mine.get("/v1/me"))["username"] == NAME
        over = local_today() - timedelta(days=1)
        with writing(database) as session:
            mine_ = col(Account.username) == NAME
            session.execute(sa.update(Account).where(mine_).values(valid_to=over))
        refusal(mine.get("/v1/me"), 401, "invalid_token")
        refusal(sign_in(api, program["client_secret"]), 403, "client_expired")
        asked_by = account(database, NAME)
        with writing(database) as session:
            assert load_actor_of_job(session, asked_by.id, asked_by.id, None) is None
        done(officer.patch(path, json={"purpose": "Vẫn sửa được"}))
        done(officer.patch(path, json={"valid_to": None}))
        assert sign_in(api, program["client_secret"]).status_code == 200

    def test_its_officers_are_told_before_and_once(
        self, api: Api, officer: Api, database: Database, program: Json
    ) -> None:
        day = local_today() + SOON
        path = credentials(officer, program)
        made(officer.post(path, json={"other_valid_to": day.isoformat()}))
        done(officer.patch(f"/v1/accounts/{program['id']}", json={"valid_to": day.isoformat()}))
        for _ in range(2):
            assert expiring.send_due(database) == 2
        told = notices(officer)
        assert {each["kind"] for each in told} == {"program_ends", "secret_ends"}
        for each in told:
            assert each["title"] == "Sở Nội vụ"
            assert each["link"] == f"/v1/accounts/{program['id']}"
            assert as_written(day) in each["text"]
        assert [notices(api.as_(name)) for name in ("tienluong", "phuongvi-1")] == [[], []]
        # What was done about it is shown no longer.
        first = done(officer.get(path))["items"][0]["id"]
        officer.delete(f"{path}/{first}")
        assert [each["kind"] for each in notices(officer)] == ["program_ends"]
        done(officer.patch(f"/v1/accounts/{program['id']}", json={"valid_to": None}))
        assert notices(officer) == []

    @pytest.mark.parametrize(("days", "ends"), [(14, 1), (15, 0)])
    def test_not_too_early_and_not_of_what_is_shut_out(
        self, officer: Api, database: Database, program: Json, days: int, ends: int
    ) -> None:
        last = (local_today() + timedelta(days=days)).isoformat()
        done(officer.patch(f"/v1/accounts/{program['id']}", json={"valid_to": last}))
        assert expiring.send_due(database) == ends
        done(officer.post(f"/v1/accounts/{program['id']}/disable"))
        assert expiring.send_due(database) == 0
        assert notices(officer) == []


def notices(api: Api) -> list[Json]:
    found: list[Json] = done(api.get("/v1/me/notifications"))["items"]
    return found


class TestWhoSawMyRecord:
    def test_names_the_program_by_its_purpose(
        self, api: Api, officer: Api, database: Database, unit_id: Ids, program: Json
    ) -> None:
        member = free_members(database, unit_id["phuongvi-1"])[0].id
        done(officer.patch(f"/v1/members/{member}", json={"phone": "0912345678"}))
        assert done(opened(api, program["client_secret"]).get(f"/v1/members/{member}"))["phone"]
        log = done(officer.get(f"/v1/members/{member}/access-log"))["items"]
        found = {each["reader"]: (each["kind"], each["purpose"], each["how"]) for each in log}
        assert found["Sở Nội vụ"] == ("client", ABOUT["purpose"], "detail")
        assert {each[1] for name, each in found.items() if name != "Sở Nội vụ"} <= {None}


@pytest.fixture(autouse=True)
def nothing_counted(app: FastAPI) -> Iterator[None]:
    yield
    serving(app).usage.flush()
