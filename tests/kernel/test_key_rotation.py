"""Rotating the data keys: a new one first, one run of the job, and the old one may go."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from uuid import UUID

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlmodel import col, select

from app.api.http.server import serve_with, serving
from app.db import Database, vault_of
from app.models.duplicates.merges import Merge
from app.models.kernel.changes import Change
from app.models.members.members import Identifier, Member, MemberIdentifier
from app.services.kernel import key_rotation, upkeep
from app.services.kernel.access_log import AccessLog
from app.vault import Vault
from tests.conftest import make_settings
from tests.helpers.client import Api, writing

OLD = "data-keys-of-the-tests-0123456789abcdef"
NEW = "new-data-keys-of-the-tests-9876543210fedcba"


@contextmanager
def opened_with(database: Database, *keys: str) -> Iterator[Database]:
    """The same database in a process that was started with these keys."""
    url = database.settings.database_url
    with closing(Database(make_settings(url, data_keys=",".join(keys)))) as other:
        yield other


def served_from(app: FastAPI, database: Database) -> Api:
    """The application, from this database."""
    server = replace(serving(app), database=database, access_log=AccessLog(database))
    serve_with(app, server)
    return Api(app)


def sealed_phones(database: Database) -> list[str]:
    with writing(database) as session:
        stored = sa.type_coerce(col(Member.phone), sa.Text)
        return [p for p in session.connection().execute(sa.select(stored)).scalars() if p]


@pytest.fixture
def member(api: Api) -> dict[str, str]:
    officer = api.as_("phuongvi")
    found: dict[str, str] = officer.get("/v1/members?limit=1").json()["items"][0]
    officer.patch(f"/v1/members/{found['id']}", json={"phone": "0912345678"})
    officer.patch(f"/v1/members/{found['id']}", json={"phone": "0987654321"})
    return found


class TestRotation:
    def test_leaves_nothing_to_the_old_key(
        self, database: Database, member: dict[str, str]
    ) -> None:
        with writing(database) as session:
            before = {m.id: (m.phone, m.citizen_id) for m in session.exec(select(Member))}
        with opened_with(database, NEW, OLD) as rotating:
            assert key_rotation.rotate(rotating) > len(before)
            assert key_rotation.rotate(rotating) == 0
        with opened_with(database, NEW) as rotated:
            with writing(rotated) as session:
                after = {m.id: (m.phone, m.citizen_id) for m in session.exec(select(Member))}
                vault = vault_of(session)
                logged = session.exec(
                    select(Change)
                    .where(col(Change.entity_id) == member["id"])
                    .order_by(col(Change.id))
                ).all()
                values = [c.after["phone"] for c in logged if c.after and "phone" in c.after]
                opened = [vault.open(value, "phone") for value in values if value]
            assert after == before
            assert opened[-2:] == ["+84912345678", "+84987654321"]
            assert all(vault.is_current(phone) for phone in sealed_phones(rotated))

    def test_she_is_found_by_the_new_digests(
        self, database: Database, member: dict[str, str]
    ) -> None:
        with opened_with(database, NEW, OLD) as rotating:
            key_rotation.rotate(rotating)
        with opened_with(database, NEW) as rotated, writing(rotated) as session:
            row = session.get_one(MemberIdentifier, (UUID(member["id"]), Identifier.phone))
            assert row.last4 == Vault([NEW]).digest("4321", "phone:last4")
            assert row.exact == Vault([NEW]).digest("+84987654321", "phone:exact")

    def test_also_who_could_not_be_found(self, database: Database, member: dict[str, str]) -> None:
        """A phone without its digests: stored by a job that was killed, or by hand."""
        member_id = UUID(member["id"])
        with writing(database) as session:
            of_hers = col(MemberIdentifier.member_id) == member_id
            session.execute(sa.delete(MemberIdentifier).where(of_hers))
        with opened_with(database, NEW, OLD) as rotating:
            key_rotation.rotate(rotating)
        with opened_with(database, NEW) as rotated, writing(rotated) as session:
            row = session.get_one(MemberIdentifier, (member_id, Identifier.phone))
            her = session.get_one(Member, member_id)
            assert row.exact == Vault([NEW]).digest("+84987654321", "phone:exact")
            assert row.province_id == her.province_id

    def test_is_no_change_of_the_record(self, database: Database, member: dict[str, str]) -> None:
        with writing(database) as session:
            before = session.get_one(Member, UUID(member["id"])).revision
            logged = len(session.exec(select(Change.id)).all())
        with opened_with(database, NEW, OLD) as rotating:
            key_rotation.rotate(rotating)
        with opened_with(database, NEW) as rotated, writing(rotated) as session:
            assert session.get_one(Member, UUID(member["id"])).revision == before
            assert len(session.exec(select(Change.id)).all()) == logged

    def test_stopped_half_way_goes_on(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(key_rotation, "CHUNK", 50)
        with opened_with(database, NEW, OLD) as rotating:
            chunks = key_rotation._chunks(rotating, Member, [])
            next(chunks)
            chunks.close()
            assert key_rotation.rotate(rotating) > 400
        with opened_with(database, NEW) as rotated, writing(rotated) as session:
            assert len(session.exec(select(Member)).all()) == 400

    def test_a_server_on_sqlite_does_it_by_itself(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(upkeep, "FIRST_AFTER_SECONDS", 0)
        with opened_with(database, NEW, OLD) as rotating:
            current: list[bool] = []
            with upkeep.in_server(rotating):
                for _ in range(100):
                    current = [rotating.vault.is_current(p) for p in sealed_phones(rotating)]
                    if all(current) or not database.on_sqlite:
                        break
                    time.sleep(0.1)
            assert all(current) is database.on_sqlite

    def test_meanwhile_both_are_read_and_found(
        self, app: FastAPI, database: Database, member: dict[str, str]
    ) -> None:
        with opened_with(database, NEW, OLD) as rotating:
            self.ask(served_from(app, rotating), rotating, member)

    def ask(self, api: Api, database: Database, member: dict[str, str]) -> None:
        during = database.vault
        officer = api.as_("phuongvi")
        shown = officer.get(f"/v1/members/{member['id']}").json()
        assert shown["phone"] == "+84987654321"
        changed = officer.patch(f"/v1/members/{member['id']}", json={"phone": "0911111111"}).json()
        assert changed["phone"] == "+84911111111"
        current = [during.is_current(phone) for phone in sealed_phones(database)]
        assert (current.count(True), len(current) > 300) == (1, True)


class TestWithoutTheOldKey:
    """What was done with the old key, once it is rotated and taken away."""

    @pytest.fixture
    def merge(self, api: Api, unit_id: dict[str, int]) -> dict[str, str]:
        """Two records of one person, merged by a request that carries a key for its retry."""
        officer = api.as_("phuongvi")
        kept, other = (
            officer.post(
                "/v1/members",
                json={
                    "branch_id": unit_id["phuongvi-1"],
                    "full_name": "Đặng Thị Kim Thoa",
                    "birth_date": born,
                    "phone": phone,
                    "joined_on": None,
                },
            ).json()
            for born, phone in (("1971", "0912345678"), ("1971-04-09", "0987654321"))
        )
        body = {"other_id": other["id"], "reason": "Cùng một người"}
        path = f"/v1/members/{kept['id']}/merges"
        made = officer.post(path, json=body, headers={"idempotency-key": "merge"})
        assert made.status_code == 201, made.text
        return {"id": made.json()["id"], "kept": kept["id"], "gone": other["id"]}

    @pytest.fixture
    def rotated(self, merge: dict[str, str], app: FastAPI, database: Database) -> Iterator[Api]:
        with opened_with(database, NEW, OLD) as rotating:
            key_rotation.rotate(rotating)
        with opened_with(database, NEW) as after:
            yield served_from(app, after)

    def test_a_merge_is_undone(self, rotated: Api, merge: dict[str, str]) -> None:
        officer = rotated.as_("phuongvi")
        undone = officer.post(f"/v1/merges/{merge['id']}/undo")
        assert (undone.status_code, undone.json()["state"]) == (200, "undone"), undone.text
        phones = [
            officer.get(f"/v1/members/{merge[which]}").json()["phone"] for which in ("kept", "gone")
        ]
        assert phones == ["+84912345678", "+84987654321"]

    def test_a_person_gets_the_copy_of_the_data(self, rotated: Api, merge: dict[str, str]) -> None:
        copied = rotated.as_("phutho").get(f"/v1/members/{merge['kept']}/personal-data")
        assert copied.status_code == 200, copied.text
        tables = {section["table"]: section["rows"] for section in copied.json()["sections"]}
        assert tables["member"][0]["phone"] == "+84912345678"
        assert [row["id"] for row in tables["merge"]] == [merge["id"]]

    def test_a_person_is_erased(self, rotated: Api, merge: dict[str, str]) -> None:
        tried = rotated.as_("phutho").post(
            f"/v1/members/{merge['kept']}/erasure", json={"dry_run": True}
        )
        assert tried.status_code == 200, tried.text
        rows = {each["table"]: each["rows"] for each in tried.json()["effects"]}
        assert (rows["member"], rows["merge"]) == (1, 1)
        # Nobody can say of whom an answer speaks that nobody can open: it goes.
        assert rows["idempotent_answer"] == 1

    def test_what_is_sent_again_is_done_once(
        self, rotated: Api, merge: dict[str, str], database: Database
    ) -> None:
        again = rotated.as_("phuongvi").post(
            f"/v1/members/{merge['kept']}/merges",
            json={"other_id": merge["gone"], "reason": "Cùng một người"},
            headers={"idempotency-key": "merge"},
        )
        assert again.status_code < 500, again.text
        with writing(database) as session:
            assert len(session.exec(select(Merge.id)).all()) == 1
