"""Rotating the data keys: a new one first, one run of the job, and the old one may go."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from app.db import Database, keep_vault, vault_of
from app.models.kernel.changes import Change
from app.models.members.members import Identifier, Member, MemberIdentifier
from app.services.kernel import key_rotation, upkeep
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
        self, api: Api, database: Database, member: dict[str, str]
    ) -> None:
        during = Vault([NEW, OLD])
        for engine in (database.reader, database.writer):
            keep_vault(engine, during)
        officer = api.as_("phuongvi")
        shown = officer.get(f"/v1/members/{member['id']}").json()
        assert shown["phone"] == "+84987654321"
        changed = officer.patch(f"/v1/members/{member['id']}", json={"phone": "0911111111"}).json()
        assert changed["phone"] == "+84911111111"
        current = [during.is_current(phone) for phone in sealed_phones(database)]
        assert (current.count(True), len(current) > 300) == (1, True)
