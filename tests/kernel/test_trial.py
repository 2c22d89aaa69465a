"""A capability of the tests takes part in everything, by its folders and its manifest alone."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from fastapi import FastAPI
from sqlmodel import SQLModel

from app.api.http.server import serving
from app.clock import local_today
from app.db import Database
from app.main import create_app
from app.models.base import new_id
from app.services.capabilities import CAPABILITIES, install
from app.services.kernel import jobs, key_rotation, sequencer, upkeep
from app.services.kernel.manifest import Capability, Manifest, manifest
from app.services.kernel.offers import Without
from tests.conftest import ROOT, make_settings
from tests.helpers.answers import pointed, refused
from tests.helpers.cadres import done, made
from tests.helpers.client import Api, writing
from tests.helpers.databases import Clones
from tests.helpers.operations import operation, push, verdicts
from tests.helpers.phone import Phone
from tests.helpers.real_ids import ids_in
from tests.http.test_contract import fuzzed
from tests.kernel.test_key_rotation import NEW, OLD, opened_with

Json = dict[str, Any]
NOTE = "Cúng rằm ở chùa làng"
OPERATIONS = ("list_pledges", "create_pledge", "end_pledge", "count_pledges")


@dataclass(frozen=True)
class Trial:
    app: FastAPI
    capability: Capability
    branch_id: int
    commune_id: int

    @property
    def database(self) -> Database:
        return serving(self.app).database

    def as_(self, username: str) -> Api:
        return Api(self.app).as_(username)

    def rows(self, table: str) -> list[Json]:
        """Rows as they are stored."""
        with writing(self.database) as session:
            found = session.connection().execute(sa.select(SQLModel.metadata.tables[table]))
            return [dict(row._mapping) for row in found]

    def member(self, name: str, **more: object) -> Json:
        body = {"branch_id": self.branch_id, "full_name": name, "birth_date": "1971"}
        return made(
            self.as_("phuongvi").post("/v1/members", json=body | {"joined_on": None} | more)
        )

    def pledge(self, member: Json, **more: object) -> Json:
        body = {"goods": "Gạo nếp", "giver": member["full_name"], "note": NOTE}
        path = f"/v1/members/{member['id']}/pledges"
        return made(
            self.as_("phuongvi").post(path, json=body | {"valid_from": "2026-01-02"} | more)
        )

    def stored(self, pledge: Json) -> Json:
        [row] = [row for row in self.rows("pledge") if str(row["id"]) == pledge["id"]]
        return row


def migrated(url: str, folder: Path) -> None:
    """What `make migration` writes for the tables of the trial, run: and nothing is left to write."""
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("script_location", str(ROOT / "alembic"))
    config.set_main_option(
        "version_locations", os.pathsep.join([f"{ROOT}/alembic/versions", str(folder)])
    )
    config.attributes["url"] = url
    config.attributes["vault"] = make_settings(url).vault()
    command.revision(config, "pledges", autogenerate=True, version_path=str(folder))
    command.upgrade(config, "head")
    command.check(config)


@pytest.fixture(scope="module")
def trial(clones: Clones, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """The application with the trial; afterwards this process knows nothing of it."""
    before = set(SQLModel.metadata.tables)
    # Imported here: its tables are no business of other tests.
    module = import_module("tests.helpers.trial.services.trial.capability")
    try:
        with clones.clone() as url:
            migrated(url, tmp_path_factory.mktemp("migrations"))
            app = create_app(make_settings(url), (*CAPABILITIES, module.CAPABILITY))
            with serving(app).database.reading() as db:
                branch = db.execute(
                    sa.text(
                        "SELECT b.id, b.commune_id FROM unit b JOIN unit c ON c.id = b.commune_id"
                        " WHERE c.name = 'Xã Phượng Vĩ' AND b.level = 'branch' ORDER BY b.id"
                    )
                ).first()
            assert branch is not None
            yield Trial(app, module.CAPABILITY, branch.id, branch.commune_id)
            serving(app).database.close()
    finally:
        install()
        for name in SQLModel.metadata.tables.keys() - before:
            SQLModel.metadata.remove(SQLModel.metadata.tables[name])


def test_every_field_of_the_manifest_is_filled(trial: Trial) -> None:
    fields = vars(trial.capability)
    empty = [name for name, value in fields.items() if not value or isinstance(value, Without)]
    assert empty == []


def test_its_own_check_refuses_what_does_not_hold_together(trial: Trial) -> None:
    [check] = trial.capability.checks
    assert list(check(Manifest((trial.capability,)))) == [
        f"{check.__module__}: no capability has members"
    ]
    assert list(check(manifest())) == []


class TestTheContract:
    def test_names_what_it_brings(self, trial: Trial) -> None:
        document = trial.app.openapi()
        operations = {
            operation["operationId"]: operation
            for item in document["paths"].values()
            for operation in item.values()
        }
        assert {*OPERATIONS} <= operations.keys()
        assert operations["list_pledges"]["tags"] == ["pledges"]
        assert "pledges" in [tag["name"] for tag in document["tags"]]
        schemas = document["components"]["schemas"]
        assert "pledge_over" in schemas["ProblemBody"]["properties"]["code"]["enum"]
        assert "pledge_over" in operations["end_pledge"]["responses"]["409"]["description"]
        assert "pledge_total" in schemas["JobKind"]["enum"]
        assert "pledge" in schemas["EntityName"]["enum"]
        assert "goods" in schemas["ImportKind"]["enum"]
        assert "pledge" in schemas["WorkKind"]["enum"]
        assert "pledge" in schemas["SyncKindName"]["enum"]
        assert "pledge.add" in schemas["OperationName"]["enum"]
        assert "pledge_waits" in schemas["NotificationKind"]["enum"]

    @pytest.mark.parametrize("operation", OPERATIONS)
    def test_is_kept(self, trial: Trial, operation: str) -> None:
        assert fuzzed(trial.app, operation, ids_in(trial.database)) == []


class TestARow:
    def test_is_written_once_and_sealed(self, trial: Trial) -> None:
        pledge = trial.pledge(trial.member("Lò Thị Một"))
        assert (pledge["note"], pledge["branch_id"]) == (NOTE, trial.branch_id)
        with trial.database.reading() as db:
            notes = list(db.execute(sa.text("SELECT note FROM pledge")).scalars())
        assert notes
        assert not any(NOTE in note for note in notes if note)

    def test_is_refused_with_its_own_problem(self, trial: Trial) -> None:
        pledge = trial.pledge(trial.member("Lò Thị Hai"))
        officer = trial.as_("phuongvi")
        path = f"/v1/pledges/{pledge['id']}/end"
        assert done(officer.post(path))["valid_to"] == local_today().isoformat()
        assert "đã kết thúc" in refused(officer.post(path), 409, "pledge_over")["detail"]
        assert trial.stored(pledge)["revision"] == 2

    def test_is_in_the_change_log(self, trial: Trial) -> None:
        member = trial.member("Lò Thị Ba")
        pledge = trial.pledge(member)
        sequencer.settle(trial.database)
        seen = {
            username: next(
                each
                for each in done(trial.as_(username).get("/v1/changes?kinds=pledge"))["items"]
                if each["entity_id"] == pledge["id"]
            )
            for username in ("phuongvi", "phuongvi-1")
        }
        change = seen["phuongvi"]
        assert (change["operation"], change["after"]["goods"]) == ("created", "Gạo nếp")
        assert change["after"]["note"] == NOTE
        assert NOTE not in str(seen["phuongvi-1"])
        serving(trial.app).access_log.flush()
        read = [row for row in trial.rows("access_read") if row["member_id"] == UUID(member["id"])]
        # In the answer to whoever wrote it down, and in the log.
        assert [row["fields"] for row in read] == ["religion", "religion"]

    def test_that_is_read_is_noted(self, trial: Trial) -> None:
        member = trial.member("Lò Thị Bốn")
        trial.pledge(member, goods="Xôi gấc")
        log = serving(trial.app).access_log
        log.flush()

        def noted() -> list[Any]:
            log.flush()
            reads = [
                row for row in trial.rows("access_read") if str(row["member_id"]) == member["id"]
            ]
            return [row["fields"] for row in reads if row["how"] == "list"]

        assert noted() == []
        [item] = done(trial.as_("phutho").get("/v1/pledges?goods=Xôi gấc"))["items"]
        assert item["note"] == NOTE
        assert noted() == ["religion"]

    def test_goes_with_the_record_when_two_are_merged_and_comes_back(self, trial: Trial) -> None:
        officer = trial.as_("phuongvi")
        kept = trial.member("Lò Thị Năm", phone="0912345678")
        other = trial.member("Lò Thị Năm", birth_date="1971-04-09", phone="0987654321")
        pledge = trial.pledge(other)
        body = {"other_id": other["id"], "reason": "Cùng một người"}
        merge = made(officer.post(f"/v1/members/{kept['id']}/merges", json=body))
        assert str(trial.stored(pledge)["member_id"]) == kept["id"]
        done(officer.post(f"/v1/merges/{merge['id']}/undo"))
        assert str(trial.stored(pledge)["member_id"]) == other["id"]

    def test_is_emptied_with_the_person(self, trial: Trial) -> None:
        officer, province = trial.as_("phuongvi"), trial.as_("phutho")
        member = trial.member("Lò Thị Sáu Riêng")
        pledge = trial.pledge(member)
        texts = ("Cảm ơn bà Lò Thị Sáu Riêng", "Cảm ơn cả làng")
        with trial.database.writing() as session:
            for table in ("pledge_letter", "pledge_thanks"):
                rows = [{"id": new_id(), "text": text} for text in texts]
                session.connection().execute(sa.insert(SQLModel.metadata.tables[table]), rows)
        path = f"/v1/members/{member['id']}"
        copied = done(province.get(f"{path}/personal-data"))
        assert "pledge" in [section["table"] for section in copied["sections"]]
        made(officer.post(f"{path}/departures", json={"reason": "moved_away"}))
        asked = {"kind": "erase", "channel": "in_person"}
        request = made(officer.post(f"{path}/privacy-requests", json=asked))
        done(officer.post(f"/v1/privacy/requests/{request['id']}/acknowledge"))
        tried = done(province.post(f"{path}/erasure", json={"dry_run": True}))
        assert "pledge" in [effect["table"] for effect in tried["effects"]]
        body = {"dry_run": False, "request_id": request["id"], "digest": tried["digest"]}
        receipt = done(province.post(f"{path}/erasure", json=body))
        touched = {effect["table"]: effect["rows"] for effect in receipt["effects"]}
        names = ("pledge", "pledge_letter", "pledge_thanks")
        assert {name: touched.get(name) for name in names} == dict.fromkeys(names, 1)
        row = trial.stored(pledge)
        assert (row["giver"], row["note"], row["note_digest"]) == ("Đã xoá danh tính", None, None)
        assert row["goods"] == "Gạo nếp"
        for table in ("pledge_letter", "pledge_thanks"):
            assert [row["text"] for row in trial.rows(table)] == ["Cảm ơn cả làng"]


class TestWhatItsBodiesName:
    def test_is_looked_for_in_the_scope_of_the_caller(self, trial: Trial) -> None:
        member = trial.member("Lò Thị Chín")
        old = trial.pledge(member)
        assert trial.stored(trial.pledge(member, renews_id=old["id"]))["valid_to"] is None
        assert trial.stored(old)["valid_to"] is not None
        body = {"goods": "Xôi", "giver": "Lò Thị Chín", "valid_from": "2024-05-17"}
        path = f"/v1/members/{member['id']}/pledges"
        for name, pledge_id in (("tienluong", old["id"]), ("phuongvi", str(uuid4()))):
            answer = trial.as_(name).post(path, json=body | {"renews_id": pledge_id})
            pointed(answer, "/renews_id", "pledge_unknown")


class TestWhatItOffers:
    """Readers of the manifest find it: they import nobody."""

    def test_work_waits(self, trial: Trial) -> None:
        pledge = trial.pledge(trial.member("Lò Thị Mười Một"), valid_from="2025-01-02")
        officer = trial.as_("phuongvi")

        def waits() -> bool:
            items = done(officer.get("/v1/me/work?kind=pledge&limit=200"))["items"]
            return pledge["id"] in [item["id"] for item in items]

        assert waits()
        done(officer.post(f"/v1/pledges/{pledge['id']}/end"))
        assert not waits()

    def test_figures_are_counted_and_explained(self, trial: Trial) -> None:
        officer, query = trial.as_("phuongvi"), f"unit={trial.commune_id}"

        def count() -> int:
            path = f"/v1/figures?{query}&indicators=trial.open_pledges"
            return int(done(officer.get(path))["items"][0]["value"])

        before = count()
        pledge = trial.pledge(trial.member("Lò Thị Mười Hai"))
        assert count() == before + 1
        rows = done(officer.get(f"/v1/figures/trial.open_pledges/explain?{query}&limit=200"))
        assert pledge["id"] in [item["entity_id"] for item in rows["items"]]
        assert len(rows["items"]) == before + 1

    def test_phones_keep_its_rows(self, trial: Trial) -> None:
        pledge = trial.pledge(trial.member("Lò Thị Mười Ba"))
        phone = Phone(trial.as_("phuongvi"), kinds=["member", "pledge"])
        phone.pull()
        assert phone.rows["pledge"][pledge["id"]]["note"] == NOTE
        done(trial.as_("phuongvi").post(f"/v1/pledges/{pledge['id']}/end"))
        sequencer.settle(trial.database)
        [item] = [each for each in phone.pull() if each["kind"] == "pledge"]
        assert item["row"]["valid_to"] == local_today().isoformat()
        head = Phone(trial.as_("phuongvi-1"))
        head.pull()
        assert not head.rows["pledge"]

    def test_phones_send_what_was_noted_without_a_network(self, trial: Trial) -> None:
        member = trial.member("Lò Thị Mười Bốn")
        patch = {"goods": "Nải chuối", "giver": member["full_name"], "valid_from": "2026-01-02"}
        pledge_id = str(uuid4())
        noted = operation("pledge.add", pledge_id, patch | {"member_id": member["id"]})
        assert verdicts(trial.as_("phuongvi"), noted, noted) == ["applied", "duplicate"]
        assert trial.stored({"id": pledge_id})["goods"] == "Nải chuối"
        other = operation("pledge.add", str(uuid4()), patch | {"member_id": str(uuid4())})
        [answer] = push(trial.as_("phuongvi"), other)
        [error] = answer["problem"]["errors"]
        assert (answer["verdict"], error["pointer"]) == ("refused", "/patch/member_id")

    def test_followers_are_told_of_it(self, trial: Trial) -> None:
        officer, head = trial.as_("phuongvi"), trial.as_("phuongvi-1")
        begun = done(officer.get("/v1/feed?limit=1000"))["seq"]
        pledge = trial.pledge(trial.member("Lò Thị Mười Lăm"))
        asked = f"/v1/feed?kinds=pledge&after={begun}"
        [event] = done(officer.get(asked))["items"]
        assert event["type"] == "pledge.created"
        assert event["data"]["state"] == {k: v for k, v in pledge.items() if k != "revision"}
        [event] = done(head.get(asked))["items"]
        assert (event["data"]["masked"], "note" in event["data"]["state"]) == (["note"], False)


class TestItsWork:
    def test_is_done_in_a_job(self, trial: Trial) -> None:
        officer = trial.as_("phuongvi")
        asked = officer.post("/v1/pledge-totals", json={"unit_id": trial.branch_id})
        assert asked.status_code == 202, asked.text
        open_ones = [row for row in trial.rows("pledge") if row["valid_to"] is None]
        expected = len([row for row in open_ones if row["branch_id"] == trial.branch_id])
        jobs.work_off(trial.database)
        job = done(officer.get(f"/v1/jobs/{asked.json()['id']}"))
        assert (job["state"], job["result"]) == ("done", {"pledges": expected})

    def test_is_done_when_it_is_due(self, trial: Trial) -> None:
        kept, old = (trial.pledge(trial.member(f"Lò Thị {name}")) for name in ("Bảy", "Tám"))
        table = SQLModel.metadata.tables["pledge"]
        long_over = sa.update(table).where(table.c.id == UUID(old["id"]))
        with trial.database.writing() as session:
            session.connection().execute(long_over.values(valid_to=date(2010, 1, 1)))
        assert upkeep.do_due(trial.database) >= 1
        ids = [str(row["id"]) for row in trial.rows("pledge")]
        assert kept["id"] in ids
        assert old["id"] not in ids

    def test_takes_lists_from_files(self, trial: Trial) -> None:
        officer = trial.as_("phuongvi")
        sent = officer.post(
            f"/v1/imports?kind=goods&unit={trial.branch_id}",
            content="Tên hiện vật\nĐường phèn\n".encode(),
            headers={"content-disposition": 'attachment; filename="goods.csv"'},
        )
        path = f"/v1/imports/{sent.json()['id']}"
        jobs.work_off(trial.database)
        assert done(officer.get(path))["state"] == "ready"
        assert officer.post(f"{path}/apply", json={}).status_code == 202
        jobs.work_off(trial.database)
        assert done(officer.get(path))["state"] == "applied"
        assert {"name": "Đường phèn"} in trial.rows("pledge_goods")

    def test_follows_a_branch_that_closes(self, trial: Trial) -> None:
        province, officer = trial.as_("phutho"), trial.as_("phuongvi")
        body = {"level": "branch", "name": "Chi hội Thử", "parent_id": trial.commune_id}
        branch = made(province.post("/v1/units", json=body | {"opened_on": "2020-01-01"}))
        member = trial.member("Lò Thị Chín", branch_id=branch["id"])
        pledge = trial.pledge(member)
        made(officer.post(f"/v1/members/{member['id']}/departures", json={"reason": "moved_away"}))
        closing = {
            "effective_on": (local_today() + timedelta(days=1)).isoformat(),
            "kind": "abolish",
        }
        done(province.post(f"/v1/units/{branch['id']}/close", json=closing))
        assert trial.stored(pledge)["valid_to"] == local_today()


def test_keys_are_rotated_with_its_note(trial: Trial) -> None:
    pledge = trial.pledge(trial.member("Lò Thị Mười"))
    digest = trial.stored(pledge)["note_digest"]
    with opened_with(trial.database, NEW, OLD) as rotating:
        assert key_rotation.rotate(rotating) > 0
    try:
        with opened_with(trial.database, NEW) as rotated, writing(rotated) as session:
            table = SQLModel.metadata.tables["pledge"]
            rows = session.connection().execute(sa.select(table.c.note, table.c.note_digest))
            opened = {row.note: row.note_digest for row in rows if row.note is not None}
            assert NOTE in opened
            assert opened == {note: rotated.vault.digest(note, "pledge_note") for note in opened}
            assert opened[NOTE] != digest
    finally:
        with opened_with(trial.database, OLD, NEW) as back:
            key_rotation.rotate(back)
    assert trial.stored(pledge)["note"] == NOTE


def test_the_manifest_is_that_of_the_trial(trial: Trial) -> None:
    assert manifest().capabilities == (*CAPABILITIES, trial.capability)
