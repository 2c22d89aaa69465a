"""Erasure: a person wiped wherever she is, and every figure as it was."""

import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from httpx2 import Response
from sqlmodel import col, select

from app.api.http.server import serving
from app.clock import local_today, utc_now
from app.db import Database
from app.models.identity.external_logins import ExternalLogin
from app.models.kernel.accounts import Account
from app.models.members.members import Member, NameEntry
from app.models.privacy.erasures import Erasure
from app.services.kernel import jobs, sequencer, upkeep
from app.services.privacy import erasures
from app.text import search_key, sort_key
from tests.helpers.answers import Json, refused
from tests.helpers.captures import hold
from tests.helpers.client import Api, as_written, writing
from tests.helpers.tables import everything

NAME, BEFORE = "Quách Thị Xuyến Oanh", "Quách Thị Khuyển Nguậy"
PHONE, CITIZEN_ID, ID_CARD = "+84987612345", "025168998877", "132998877"
TEXTS = {
    "address": "Ngõ Hoa Sữa số 7",
    "hometown": "Làng Vạc Cổ Tích",
    "occupation": "Thợ thêu ren Quất Động",
    "note": "Ghi chú riêng về bà Xuyến",
    "device": "Điện thoại chị Xuyến",
    "username": "xuyen.oanh",
    "decision": "QĐ-Xuyến/77",
    "certificate": "CC-Xuyến-1",
    "reference": "Phiếu Xuyến 9",
}


def ok(answer: Response, status: int = 200) -> Json:
    assert answer.status_code == status, answer.text
    body: Json = answer.json() if answer.content else {}
    return body


def needles(database: Database) -> dict[str, list[bytes]]:
    """Whatever would identify her, in every form it may be stored in."""
    words = {
        "name": [NAME, BEFORE, "Xuyến", "Nguậy", "Khuyển"],
        "numbers": [PHONE, PHONE[3:], CITIZEN_ID, ID_CARD],
        "texts": [*TEXTS.values()],
    }
    forms = {
        kind: [
            form.encode()
            for text in texts
            for form in {
                text,
                unicodedata.normalize("NFD", text),
                text.lower(),
                unicodedata.normalize("NFD", text.lower()),
            }
        ]
        for kind, texts in words.items()
    }
    forms["keys"] = [
        key.encode() for name in (NAME, BEFORE) for key in {search_key(name), sort_key(name)}
    ] + [b"xuyen", b"xuien", b"nguay", b"nguai"]
    vault = database.vault
    forms["sealed"] = [
        vault.seal(value, field).encode()
        for field, value in (
            ("phone", PHONE),
            ("citizen_id", CITIZEN_ID),
            ("id_card", ID_CARD),
        )
    ]
    return forms


def dump(database: Database) -> bytes:
    """All the database holds: the bytes of its files on SQLite, every row of every table of every
    schema on PostgreSQL, as a dump has them."""
    if database.on_sqlite:
        file = Path(database.settings.database_url.removeprefix("sqlite:///"))
        return b"\n".join(each.read_bytes() for each in sorted(file.parent.glob(f"{file.name}*")))
    sequencer.settle(database)
    lines: list[str] = []
    with database.reading() as db:
        tables = db.execute(
            sa.text(
                "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
                " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
            )
        ).scalars()
        for table in list(tables):
            rows = db.exec_driver_sql(f"SELECT t::text FROM {table} t")  # of the catalogue
            lines += [str(row) for row in rows.scalars()]
    return "\n".join(lines).encode()


def traces(database: Database) -> dict[str, list[bytes]]:
    held = dump(database)
    found = {
        kind: [needle for needle in forms if needle in held]
        for kind, forms in needles(database).items()
    }
    return {kind: forms for kind, forms in found.items() if forms}


class Her:
    """A member with something in every table that may hold something of a person."""

    def __init__(self, api: Api, database: Database, unit_id: dict[str, int]) -> None:
        self.head, self.officer = api.as_("phuongvi-1"), api.as_("phuongvi")
        self.province = api.as_("phutho")
        self.database, self.branch = database, unit_id["phuongvi-1"]
        joined = (local_today() - timedelta(days=900)).isoformat()
        made = self.head.post(
            "/v1/members",
            json={
                "branch_id": unit_id["phuongvi-1"],
                "full_name": BEFORE,
                "birth_date": "1968-05-17",
                "joined_on": joined,
                "phone": PHONE,
                "citizen_id": CITIZEN_ID,
                "id_card": ID_CARD,
                **{name: TEXTS[name] for name in ("address", "hometown", "occupation")},
            },
            headers={"idempotency-key": "her-admission"},
        )
        self.id = ok(made, 201)["id"]
        self.path = f"/v1/members/{self.id}"
        ok(self.head.patch(self.path, json={"full_name": NAME}))
        appointed = ok(
            self.officer.post(
                "/v1/appointments",
                json={
                    "member_id": self.id,
                    "unit_id": unit_id["phuongvi-1"],
                    "post": "branch_deputy",
                    "title": TEXTS["note"],
                    "basis": "appointed",
                    "decision_number": TEXTS["decision"],
                    "valid_from": joined,
                },
            ),
            201,
        )
        assert appointed["title"] == TEXTS["note"]
        for kept in (True, False):
            training = ok(
                self.officer.post(
                    f"{self.path}/trainings",
                    json={
                        "kind": "professional",
                        "name": TEXTS["note"],
                        "certificate_number": TEXTS["certificate"],
                    },
                ),
                201,
            )
            if not kept:
                self.officer.delete(f"/v1/trainings/{training['id']}")
        moved = ok(
            self.head.post(
                f"{self.path}/transfers",
                json={"to_branch_id": unit_id["tienluong-1"], "reason": TEXTS["note"]},
            ),
            201,
        )
        ok(self.head.post(f"/v1/transfers/{moved['id']}/cancel"))
        self._was_two_records()
        self._says(unit_id)
        self._meets()
        self._heads_a_household()
        self._is_on_a_list()
        self._signs_in(api, unit_id)
        found = self.head.get(f"/v1/members?q={NAME}&format=csv")
        assert NAME in found.text

    def _says(self, unit_id: dict[str, int]) -> None:
        evidence = {"kind": "paper", "reference": TEXTS["reference"], "note": TEXTS["note"]}
        said = {
            "purpose": "contact",
            "decision": "given",
            "evidence": evidence,
            "recorded_on": local_today().isoformat(),
        }
        ok(self.head.post(f"{self.path}/consents", json=said), 201)
        asked = {"kind": "access", "channel": "paper", "note": TEXTS["note"]}
        ok(self.officer.post(f"{self.path}/privacy-requests", json=asked), 201)
        hold = ok(
            self.officer.post(f"{self.path}/legal-holds", json={"reference": TEXTS["reference"]}),
            201,
        )
        ok(
            self.officer.post(
                f"/v1/processing-limits/{hold['id']}/lift", json={"note": TEXTS["note"]}
            )
        )

    def _signs_in(self, api: Api, unit_id: dict[str, int]) -> None:
        body = {
            "username": TEXTS["username"],
            "display_name": NAME,
            "unit_id": unit_id["phuongvi-1"],
            "member_id": self.id,
        }
        ok(api.as_("phuongvi").post("/v1/accounts", json=body), 201)
        with writing(self.database) as session:
            session.execute(
                sa.update(Account)
                .where(col(Account.username) == TEXTS["username"])
                .values(status="active")
            )
        me = api.as_(TEXTS["username"])
        asked = {"changes": {"full_name": NAME + " Thơ"}, "note": TEXTS["note"]}
        ok(me.post("/v1/me/corrections", json=asked), 201)
        with writing(self.database) as session:
            for table, where in (("auth_session", "device = 'test'"), ("change", "true")):
                session.execute(
                    sa.text(
                        f"UPDATE {table} SET device = :device WHERE {where}"
                        " AND account_id = (SELECT id FROM account WHERE username = :name)"
                    ),
                    {"device": TEXTS["device"], "name": TEXTS["username"]},
                )

    def _meets(self) -> None:
        captured = {
            "id": str(uuid4()),
            "kind": "paper",
            "occurred_at": utc_now().isoformat(),
            "member_id": self.id,
            "note": TEXTS["note"],
            "photo": "Xuyến.jpg",
        }
        session_id = hold(self.database, [self.branch])
        body = {"sent_at": utc_now().isoformat(), "items": [captured]}
        stored = ok(self.head.post(f"/v1/sessions/{session_id}/captures", json=body))
        assert stored["items"][0]["attendance"] == "new"
        self.session_id = str(session_id)

    def _heads_a_household(self) -> None:
        body = {
            "branch_id": self.branch,
            "opened_on": "2024-01-01",
            "address": TEXTS["address"],
            "people": [{"member_id": self.id, "relation": "head"}],
        }
        self.household_id = ok(self.officer.post("/v1/households", json=body), 201)["id"]
        visit = {
            "visited_on": local_today().isoformat(),
            "visitors": [TEXTS["note"]],
            "note": TEXTS["note"],
        }
        ok(self.head.post(f"/v1/households/{self.household_id}/visits", json=visit), 201)

    def _is_on_a_list(self) -> None:
        """A file that names her, and one of somebody else."""
        self.imports = []
        for name, born, file in (
            (NAME, "1968", "Xuy%E1%BA%BFn"),
            ("Khổng Thị Khác", "1970", "khu1"),
        ):
            sent = self.officer.post(
                f"/v1/imports?kind=members&unit={self.branch}",
                content=f"Họ và tên,Năm sinh\n{name},{born}\n".encode(),
                headers={
                    "content-type": "text/csv",
                    "content-disposition": f"attachment; filename*=UTF-8''{file}.csv",
                },
            )
            self.imports.append(ok(sent, 201)["id"])
            jobs.work_off(self.database)

    def _was_two_records(self) -> None:
        """Somebody entered her twice, and found out."""
        again = {
            "branch_id": self.branch,
            "full_name": BEFORE,
            "birth_date": "1968",
            "joined_on": None,
            "occupation": TEXTS["occupation"],
        }
        self.former_id = ok(self.head.post("/v1/members", json=again), 201)["id"]
        merge = {"other_id": self.former_id, "reason": TEXTS["note"]}
        ok(self.officer.post(f"{self.path}/merges", json=merge), 201)

    def leaves(self) -> None:
        ok(
            self.head.post(
                f"{self.path}/departures",
                json={"reason": "moved_away", "note": TEXTS["note"]},
            ),
            201,
        )

    def asks(self) -> str:
        """Her request to be erased, acknowledged by one officer."""
        asked = {"kind": "erase", "channel": "in_person", "note": TEXTS["note"]}
        request = ok(self.officer.post(f"{self.path}/privacy-requests", json=asked), 201)
        ok(self.officer.post(f"/v1/privacy/requests/{request['id']}/acknowledge"))
        return str(request["id"])

    def tried(self) -> Json:
        return ok(self.province.post(f"{self.path}/erasure", json={"dry_run": True}))

    def erased(self) -> Json:
        request_id = self.asks()
        body = {"dry_run": False, "request_id": request_id, "digest": self.tried()["digest"]}
        return ok(self.province.post(f"{self.path}/erasure", json=body))


@pytest.fixture
def her(api: Api, database: Database, unit_id: dict[str, int]) -> Her:
    return Her(api, database, unit_id)


COUNTS = (
    "/v1/members/count",
    "/v1/members/count?by=gender",
    "/v1/members/count?by=age_band",
    "/v1/members/count?by=branch",
    "/v1/members/count?by=ethnicity",
    "/v1/members/count?status=left",
    "/v1/members/count?status=left&by=gender",
    "/v1/groups/count",
)


def rest(database: Database, her_id: str) -> list[Any]:
    """Every record and account but hers, as they are stored."""
    with writing(database) as session:
        members = session.execute(
            sa.select(*sa.inspect(Member).columns)
            .where(col(Member.id) != UUID(her_id))
            .order_by(col(Member.id))
        ).all()
        accounts = session.execute(
            sa.select(*sa.inspect(Account).columns)
            .where(col(Account.username).not_in([TEXTS["username"]]))
            .where(~col(Account.username).startswith("erased-"))
            .order_by(col(Account.id))
        ).all()
    return [*members, *accounts]


def figures(her: Her) -> list[Json]:
    day = (local_today() - timedelta(days=30)).isoformat()
    attended = ok(her.head.get(f"/v1/sessions/{her.session_id}/attendance"))
    dated = [f"/v1/members/count?as_of={day}", f"/v1/members/count?by=branch&as_of={day}"]
    movement = f"/v1/units/{her.branch}/movement?from={day}"
    counted = [ok(her.province.get(path)) for path in (*COUNTS, *dated, movement)]
    return [*counted, attended]


class TestErase:
    def test_takes_files_that_name_her_and_her_household_s_words(
        self, her: Her, work: Callable[[], int], database: Database
    ) -> None:
        her.leaves()
        receipt = her.erased()
        told = {(each["table"], each["fate"]) for each in receipt["effects"]}
        assert {
            ("household", "wiped"),
            ("household_visit", "wiped"),
            ("capture", "wiped"),
            ("merge", "wiped"),
            ("import", "wiped"),
            ("import_part", "deleted"),
        } <= told
        named, other = (ok(her.officer.get(f"/v1/imports/{each}")) for each in her.imports)
        assert (named["file_name"], other["file_name"]) == ("…", "khu1.csv")
        refused(her.officer.get(f"/v1/imports/{her.imports[0]}/file"), 409, "import_forgotten")
        assert her.officer.get(f"/v1/imports/{her.imports[1]}/file").status_code == 200
        household = ok(her.officer.get(f"/v1/households/{her.household_id}"))
        assert (household["head_name"], household["address"]) == ("Đã xoá danh tính", None)
        assert household["person_count"] == 1
        [visit] = ok(her.officer.get(f"/v1/households/{her.household_id}/visits"))["items"]
        assert (visit["visitors"], visit["note"]) == ([], None)
        for each in (her.id, her.former_id):
            refused(her.officer.get(f"/v1/members/{each}"), 404, "member_erased")

    def test_leaves_no_trace_and_every_figure(
        self, her: Her, work: Callable[[], int], database: Database
    ) -> None:
        before = traces(database)
        assert {
            "name",
            "keys",
            "sealed",
            "texts",
        } <= before.keys()  # the search finds what is there
        her.leaves()
        counted, others = figures(her), rest(database, her.id)
        receipt = her.erased()
        assert work() == 1
        assert rest(database, her.id) == others
        assert traces(database) == {}
        assert figures(her) == counted
        stored = ok(her.province.get(f"/v1/privacy/erasures/{receipt['id']}"))
        assert stored["swept_at"] is not None
        assert stored | {"swept_at": None} == receipt
        with writing(database) as session:
            member = session.get_one(Member, UUID(her.id))
            assert (member.birth_year, member.birth_date, member.sort_key) == (1965, "1965", "")
            assert (member.gender, member.erased_on) == ("female", local_today())
            assert (
                session.exec(
                    select(NameEntry).where(col(NameEntry.sort_key) == sort_key(NAME))
                ).all()
                == []
            )

    def test_a_dry_run_says_what_the_erasure_then_does(self, her: Her, database: Database) -> None:
        her.leaves()
        rows = dump(database) if not database.on_sqlite else b""
        tried = her.tried()
        assert (tried["id"], tried["dry_run"], tried["obstacles"]) == (None, True, [])
        assert ok(her.head.get(her.path))["full_name"] == NAME
        if not database.on_sqlite:
            assert dump(database) == rows
        told = {(e["table"], e["fate"]): e["rows"] for e in tried["effects"]}
        assert told["member", "wiped"] == told["account", "wiped"] == 1
        assert told["member_identifier", "deleted"] == 3
        assert told["correction_request", "deleted"] == 1
        assert told["name_entry", "deleted"] == 2
        assert told["training", "wiped"] == 1
        assert told["export_record", "wiped"] == 1
        assert told["idempotent_answer", "wiped"] == 1
        receipt = her.erased()
        done = {(e["table"], e["fate"]): e["rows"] for e in receipt["effects"]}
        assert done.keys() >= told.keys()
        assert done["member", "wiped"] == 1

    def test_is_found_and_shown_no_more(self, her: Her, api: Api) -> None:
        her.leaves()
        her.erased()
        gone = refused(her.head.get(her.path), 404, "member_erased")
        assert as_written(local_today()) in gone["detail"]
        for path in (
            "?q=Xuyến",
            "?q=oanh xuyen",
            "?q=2345",
            "?status=left&q=Xuyến",
            "?status=left",
        ):
            for who in (her.head, her.officer, her.province):
                listed = ok(who.get(f"/v1/members{path}"))["items"]
                assert her.id not in [item["id"] for item in listed]
        refused(her.head.patch(her.path, json={"phone": PHONE}), 404, "member_erased")
        refused(
            her.officer.post(f"{her.path}/readmissions", json={"branch_id": 1}),
            422,
            "validation_failed",
        )
        assert api.as_("tienluong").get(her.path).json()["code"] == "not_found"

    def test_tells_followers_to_forget(self, her: Her) -> None:
        her.leaves()
        last = her.officer.get(f"/v1/changes?kinds=member&entity_id={her.id}").json()["items"][-1]
        her.erased()
        changes = her.officer.get(f"/v1/changes?kinds=member&entity_id={her.id}").json()["items"]
        told = changes[-1]
        assert (told["operation"], told["before"], told["after"]) == ("erased", None, None)
        assert told["revision"] == last["revision"] + 1
        assert NAME not in str(changes)
        history = ok(her.officer.get(f"/v1/changes/history?entity=member&entity_id={her.id}"))
        [names] = [field["values"] for field in history["fields"] if field["field"] == "full_name"]
        assert {value["value"] for value in names} == {None}

    def test_locks_her_account(self, her: Her, api: Api, database: Database) -> None:
        me = api.as_(TEXTS["username"])
        with writing(database) as session:
            mine = select(Account.id).where(col(Account.username) == TEXTS["username"])
            linked = ExternalLogin(
                account_id=session.exec(mine).one(),
                issuer="https://id.example",
                subject="7f3a",
                created_at=utc_now(),
                updated_at=utc_now(),
            )
            session.execute(sa.insert(ExternalLogin), linked.model_dump())
        her.leaves()
        her.erased()
        assert me.get("/v1/me").status_code == 401
        with writing(database) as session:
            assert session.exec(select(ExternalLogin)).all() == []
            names = session.exec(select(Account.username)).all()
        assert TEXTS["username"] not in names
        assert sum(name.startswith("erased-") for name in names) == 1

    def test_others_of_her_name_are_still_found(self, her: Her, unit_id: dict[str, int]) -> None:
        other = ok(
            her.head.post(
                "/v1/members",
                json={
                    "branch_id": unit_id["phuongvi-1"],
                    "full_name": NAME,
                    "birth_date": "1990",
                    "joined_on": None,
                },
            ),
            201,
        )
        her.leaves()
        her.erased()
        for who in (her.head, her.officer, her.province):
            found = ok(who.get("/v1/members?q=xuyen oanh"))["items"]
            assert [item["id"] for item in found] == [other["id"]]

    def test_the_answer_to_a_request_sent_again_tells_nothing(
        self, her: Her, unit_id: dict[str, int]
    ) -> None:
        body = {
            "branch_id": unit_id["phuongvi-1"],
            "full_name": BEFORE,
            "birth_date": "1968-05-17",
            "joined_on": (local_today() - timedelta(days=900)).isoformat(),
            "phone": PHONE,
            "citizen_id": CITIZEN_ID,
            "id_card": ID_CARD,
            **{name: TEXTS[name] for name in ("address", "hometown", "occupation")},
        }
        her.leaves()
        her.erased()
        again = her.head.post(
            "/v1/members", json=body, headers={"idempotency-key": "her-admission"}
        )
        told = refused(again, 409, "idempotency_rights_changed")
        assert told["answered"] == 201
        assert BEFORE not in again.text


class TestRefused:
    def test_names_what_stands_in_the_way(self, her: Her) -> None:
        request_id = her.asks()
        tried = her.tried()
        assert "in_union" in [each["code"] for each in tried["obstacles"]]
        body = {"dry_run": False, "request_id": request_id, "digest": tried["digest"]}
        refused_ = refused(
            her.province.post(f"{her.path}/erasure", json=body), 409, "erasure_refused"
        )
        assert refused_["obstacles"] == tried["obstacles"]
        assert ok(her.head.get(her.path))["full_name"] == NAME

    def test_legal_hold(self, her: Her) -> None:
        her.leaves()
        hold = ok(her.officer.post(f"{her.path}/legal-holds", json={"reference": "Vụ án 5"}), 201)
        assert [each["code"] for each in her.tried()["obstacles"]] == ["legal_hold"]
        ok(her.officer.post(f"/v1/processing-limits/{hold['id']}/lift", json={"note": "xong"}))
        assert her.tried()["obstacles"] == []

    def test_needs_her_request_two_people_and_the_dry_run(self, her: Her) -> None:
        her.leaves()
        digest = her.tried()["digest"]
        path = f"{her.path}/erasure"
        body = {"dry_run": False, "digest": digest}
        refused(her.province.post(path, json=body), 409, "erasure_not_asked")
        asked = {"kind": "erase", "channel": "in_person"}
        request = ok(her.province.post(f"{her.path}/privacy-requests", json=asked), 201)
        body["request_id"] = request["id"]
        refused(her.province.post(path, json=body), 409, "second_person_needed")
        ok(her.province.post(f"/v1/privacy/requests/{request['id']}/acknowledge"))
        refused(her.province.post(path, json=body), 409, "second_person_needed")

    def test_what_changed_since_the_dry_run(self, her: Her) -> None:
        her.leaves()
        body = {"dry_run": False, "request_id": her.asks(), "digest": "0" * 32}
        refused(her.province.post(f"{her.path}/erasure", json=body), 409, "erasure_changed")

    def test_who_reads_her_record_meanwhile_changes_nothing(self, her: Her, api: Api) -> None:
        her.leaves()
        body = {"dry_run": False, "request_id": her.asks(), "digest": her.tried()["digest"]}
        ok(her.officer.get(her.path))
        serving(api.app).access_log.flush()
        ok(her.province.post(f"{her.path}/erasure", json=body))

    def test_rights(self, her: Her, api: Api) -> None:
        path, body = f"{her.path}/erasure", {"dry_run": True}
        denied = refused(her.officer.post(path, json=body), 403, "forbidden")
        assert denied["required_right"] == "privacy:erase"
        refused(api.as_("tienluong").post(path, json=body), 404, "not_found")
        assert api.as_("admin").post(path, json=body).status_code == 403

    def test_twice_is_once(self, her: Her, database: Database) -> None:
        her.leaves()
        body = {"dry_run": False, "request_id": her.asks(), "digest": her.tried()["digest"]}
        first, second = (her.province.post(f"{her.path}/erasure", json=body) for _ in range(2))
        assert ok(first) == ok(second)
        refused(
            her.province.post(f"{her.path}/erasure", json={"dry_run": True}), 404, "member_erased"
        )
        with writing(database) as session:
            assert len(session.exec(select(Erasure)).all()) == 1

    def test_is_merged_with_nobody(self, her: Her, database: Database) -> None:
        again = {"branch_id": her.branch, "full_name": "Lò Thị Mơ", "joined_on": None}
        again |= {"birth_date": "1968"}
        other_id = ok(her.head.post("/v1/members", json=again), 201)["id"]
        her.leaves()
        her.erased()
        before = everything(database)
        for kept, other in ((her.path[12:], other_id), (other_id, her.path[12:])):
            merge = {"other_id": other, "reason": "Ghi hai lần"}
            answer = her.officer.post(f"/v1/members/{kept}/merges", json=merge)
            refused(answer, 404, "member_erased")
        assert everything(database) == before

    @pytest.mark.race
    def test_at_once_is_once(self, her: Her, api: Api, database: Database) -> None:
        her.leaves()
        body = {"dry_run": False, "request_id": her.asks(), "digest": her.tried()["digest"]}
        officers = [api.as_("phutho") for _ in range(2)]
        together = Barrier(2)

        def erase(who: Api) -> Json:
            together.wait()
            return ok(who.post(f"{her.path}/erasure", json=body))

        with ThreadPoolExecutor(2) as pool:
            first, second = pool.map(erase, officers)
        assert first == second
        with writing(database) as session:
            assert len(session.exec(select(Erasure)).all()) == 1
        changes = ok(her.officer.get(f"/v1/changes?kinds=member&entity_id={her.id}"))["items"]
        assert [change["operation"] for change in changes].count("erased") == 1

    def test_somebody_who_never_was(self, her: Her) -> None:
        path = "/v1/members/01900000-0000-7000-8000-000000000000/erasure"
        refused(her.province.post(path, json={"dry_run": True}), 404, "not_found")


class TestSweep:
    def test_what_a_job_missed_the_housekeeping_does(self, her: Her, database: Database) -> None:
        her.leaves()
        her.erased()
        assert erasures.sweep_late(database) == 0  # the job has an hour
        with writing(database) as session:
            earlier = utc_now() - erasures.SWEPT_WITHIN - timedelta(minutes=1)
            session.execute(sa.update(Erasure).values(erased_at=earlier))
        upkeep.do_due(database)
        assert traces(database) == {}
        assert ok(her.province.get("/v1/privacy/erasures"))["items"][0]["swept_at"] is not None


class TestReceipts:
    @pytest.fixture
    def receipt(self, her: Her) -> Json:
        her.leaves()
        return her.erased()

    def test_say_what_when_and_which_two(
        self, her: Her, receipt: Json, api: Api, database: Database
    ) -> None:
        listed = ok(her.officer.get("/v1/privacy/erasures"))["items"]
        assert listed == [receipt]
        assert receipt["approved_by"] != receipt["erased_by"]
        assert NAME not in str(receipt)
        request = ok(her.officer.get(f"/v1/privacy/requests/{receipt['request_id']}"))
        assert (request["state"], request["note"]) == ("done", None)
        assert ok(api.as_("tienluong").get("/v1/privacy/erasures"))["items"] == []
        refused(api.as_("tienluong").get(f"/v1/privacy/erasures/{receipt['id']}"), 404, "not_found")
        refused(her.head.get("/v1/privacy/erasures"), 403, "forbidden")
