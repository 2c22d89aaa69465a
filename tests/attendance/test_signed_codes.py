"""Codes: cards that any phone verifies, codes of sessions that grow old, and what is refused."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from contextlib import closing
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import time_machine
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from fastapi import FastAPI
from sqlmodel import col, select

from app.clock import utc_now
from app.db import Database
from app.models.attendance.attendance import Capture
from app.models.base import new_id
from app.models.kernel.accounts import Account
from app.services.attendance import code_keys, codes
from app.services.attendance.code_keys import ring_of
from app.services.attendance.codes import CardCode, Ring, SessionCode
from app.services.kernel import key_rotation
from tests.conftest import make_settings
from tests.helpers.answers import Json, UnitIds
from tests.helpers.captures import counts, hold, item, members_of, send
from tests.helpers.client import Api, writing
from tests.helpers.serving import given

OLD_DATA_KEY = "data-keys-of-the-tests-0123456789abcdef"


@pytest.fixture
def branch(unit_id: UnitIds) -> int:
    return unit_id["phuongvi-1"]


@pytest.fixture
def meeting(database: Database, branch: int) -> UUID:
    return hold(database, [branch])


@pytest.fixture
def her(database: Database) -> UUID:
    """The member who signs in as `member`."""
    with writing(database) as session:
        found = session.exec(select(Account.member_id).where(col(Account.username) == "member"))
        member_id = found.one()
    assert member_id is not None
    return member_id


def scanned(token: str, **more: Any) -> Json:
    return item("qr", token=token, **more)


def reason(answer: Json) -> str | None:
    problem = answer["problem"]
    return None if problem is None else problem["code"]


def checked_in(api: Api, token: str, **more: Any) -> Json:
    body = {
        "id": str(new_id()),
        "token": token,
        "occurred_at": utc_now().isoformat(),
        "device_id": "her phone",
    }
    answer = api.post("/v1/me/check-ins", json=body | more)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def bytes_of(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


class TestCard:
    def test_is_verified_offline_with_the_published_key(
        self, api: Api, head: Api, her: UUID
    ) -> None:
        token = head.post(f"/v1/members/{her}/card").json()["token"]
        [jwk] = api.get("/.well-known/card-keys.json").json()["keys"]
        assert (jwk["kty"], jwk["crv"], jwk["alg"]) == ("OKP", "Ed25519", "EdDSA")
        data = bytes_of(token.removeprefix("HSC1."))
        key = Ed25519PublicKey.from_public_bytes(bytes_of(jwk["x"]))
        key.verify(data[36:], b"HSC1." + data[:36])
        assert data[:4] == bytes_of(jwk["kid"])
        assert UUID(bytes=data[20:36]) == her
        with pytest.raises(InvalidSignature):
            key.verify(data[36:], b"HSC1." + data[:35] + bytes([data[35] ^ 1]))

    def test_counts_whoever_shows_it(
        self, head: Api, database: Database, meeting: UUID, her: UUID, unit_id: UnitIds, api: Api
    ) -> None:
        issued = head.post(f"/v1/members/{her}/card")
        assert issued.status_code == 201
        again = head.post(f"/v1/members/{her}/card")
        assert (again.status_code, again.json()) == (200, issued.json())
        [answer] = send(head, meeting, [scanned(issued.json()["token"])])
        assert (answer["attendance"], answer["member_id"]) == ("new", str(her))
        # A guest from another commune whom the head cannot see: her card says who she is.
        guest = members_of(database, unit_id["tienluong-1"])[3]
        card = api.as_("tienluong-1").post(f"/v1/members/{guest}/card").json()
        [visitor] = send(head, meeting, [scanned(card["token"])])
        assert (visitor["attendance"], visitor["flags"]) == ("new", ["not_on_roster"])
        found = counts(head, meeting)
        assert (found["distinct_people"], found["visitors"]) == (2, 1)

    def test_picture(self, head: Api, her: UUID) -> None:
        path = f"/v1/members/{her}/card"
        assert head.get(path).status_code == 404
        head.post(path)
        png = head.get(f"{path}?format=png")
        assert (png.headers["content-type"], png.content[:4]) == ("image/png", b"\x89PNG")
        assert png.headers["cache-control"] == "no-store"
        svg = head.get(f"{path}?format=svg")
        assert svg.headers["content-type"] == "image/svg+xml"
        assert svg.text.startswith("<svg ")
        assert head.get(f"{path}?format=gif").status_code == 422

    def test_revoked_is_refused_from_then_on(
        self, head: Api, database: Database, meeting: UUID, her: UUID
    ) -> None:
        path = f"/v1/members/{her}/card"
        old = head.post(path).json()
        gone = head.post(f"{path}/revoke", json={"reason": "mất thẻ"}).json()
        assert (gone["token"], gone["reason"]) == (None, "mất thẻ")
        new = head.post(path).json()
        assert new["id"] != old["id"]
        refused, before, fresh = send(
            head,
            meeting,
            [
                scanned(old["token"], at=utc_now() + timedelta(seconds=1)),
                scanned(old["token"]),
                scanned(new["token"]),
            ],
        )
        assert reason(refused) == "code_revoked"
        assert (before["attendance"], fresh["attendance"]) == ("new", "already")

    def test_of_others_is_not_hers_to_issue(self, api: Api, her: UUID) -> None:
        path = f"/v1/members/{her}/card"
        assert api.as_("tienluong-1").post(path).status_code == 404
        auditor = api.as_("auditor").post(path)
        assert (auditor.status_code, auditor.json()["required_right"]) == (403, "attendance:write")

    def test_herself(self, api: Api, head: Api, meeting: UUID, her: UUID) -> None:
        member = api.as_("member")
        assert member.get("/v1/me/card").status_code == 404
        card = member.post("/v1/me/card").json()
        assert card["member_id"] == str(her)
        assert member.get("/v1/me/card").json() == card
        [answer] = send(head, meeting, [scanned(card["token"])])
        assert answer["attendance"] == "new"
        assert api.as_("admin").post("/v1/me/card").json()["code"] == "no_own_record"


class TestRefused:
    def test_with_a_reason_and_the_rest_is_stored(
        self, head: Api, database: Database, meeting: UUID, her: UUID
    ) -> None:
        token = head.post(f"/v1/members/{her}/card").json()["token"]
        other = Ring(cards=(b"o" * 32,), sessions=(b"t" * 32,))
        foreign = codes.card_code(other, CardCode(uuid4(), her))
        with database.reading() as db:
            unknown = codes.card_code(ring_of(db), CardCode(uuid4(), her))
        body = bytearray(bytes_of(token.removeprefix("HSC1.")))
        body[25] ^= 1
        forged = "HSC1." + urlsafe_b64encode(bytes(body)).rstrip(b"=").decode()
        code = head.get(f"/v1/sessions/{meeting}/code").json()["token"]
        tokens = [foreign, unknown, forged, "HSC1.", "HSC1.é", "https://zalo.me/x", "", code, token]
        answers = send(head, meeting, [scanned(each) for each in tokens])
        assert [reason(answer) for answer in answers] == [
            "code_foreign",
            "code_unknown",
            "code_forged",
            "code_forged",
            "code_forged",
            "code_foreign",
            "code_foreign",
            "code_names_nobody",
            None,
        ]
        assert all(answer["problem"]["detail"] for answer in answers[:-1])
        with writing(database) as session:
            assert len(session.exec(select(Capture)).all()) == 1


class TestSessionCode:
    def test_changes_and_grows_old(
        self, api: Api, head: Api, database: Database, meeting: UUID, her: UUID
    ) -> None:
        member = api.as_("member")
        with time_machine.travel(utc_now(), tick=False) as clock:
            shown = head.get(f"/v1/sessions/{meeting}/code")
            assert shown.headers["cache-control"] == "no-store"
            code = shown.json()
            clock.shift(65)
            assert head.get(f"/v1/sessions/{meeting}/code").json()["token"] != code["token"]
            # A picture of it that reached somebody at home is old.
            late = checked_in(member, code["token"])
            assert (late["verdict"], reason(late)) == ("refused", "code_expired")
            fresh = head.get(f"/v1/sessions/{meeting}/code").json()
            clock.shift(20)
            answer = checked_in(member, fresh["token"])
            assert (answer["verdict"], answer["attendance"]) == ("stored", "new")
            assert answer["member_id"] == str(her)
        assert counts(head, meeting)["distinct_people"] == 1

    def test_read_offline_is_taken_later_and_flagged(
        self, api: Api, head: Api, meeting: UUID
    ) -> None:
        read_at = utc_now()
        code = head.get(f"/v1/sessions/{meeting}/code").json()["token"]
        member = api.as_("member")
        with time_machine.travel(read_at + timedelta(hours=5)):
            # Tokens of access are older than that: sign in anew.
            member = api.as_("member")
            late = checked_in(member, code, occurred_at=read_at.isoformat())
        assert late["attendance"] == "new"
        assert set(late["flags"]) == {"late", "unverified_time"}

    def test_phone_makes_the_codes_itself_with_the_key(
        self, api: Api, head: Api, meeting: UUID
    ) -> None:
        code = head.get(f"/v1/sessions/{meeting}/code").json()
        key = bytes_of(code["key"])
        step = codes.step_at(utc_now())
        made = codes.session_code(key, meeting, step)
        assert checked_in(api.as_("member"), made)["attendance"] == "new"

    def test_one_phone_one_member(
        self, api: Api, head: Api, database: Database, meeting: UUID, branch: int
    ) -> None:
        code = head.get(f"/v1/sessions/{meeting}/code").json()["token"]
        assert checked_in(api.as_("member"), code)["attendance"] == "new"
        # The head is a member too, and borrows the phone.
        second = checked_in(head, code)
        assert (second["verdict"], reason(second)) == ("refused", "code_replayed")
        assert checked_in(head, code, device_id="her own")["attendance"] == "new"
        # The same member on the same phone again is the same person.
        assert checked_in(api.as_("member"), code)["attendance"] == "already"

    def test_on_paper_is_good_for_the_session_only(
        self, api: Api, head: Api, database: Database, branch: int, meeting: UUID
    ) -> None:
        code = head.get(f"/v1/sessions/{meeting}/code?printed=true").json()
        assert code["next_at"] is None
        answer = checked_in(api.as_("member"), code["token"])
        assert (answer["attendance"], answer["flags"]) == ("new", ["printed_code"])
        over = hold(database, [branch], starts_at=utc_now() - timedelta(days=2))
        old = head.get(f"/v1/sessions/{over}/code?printed=true").json()["token"]
        assert reason(checked_in(api.as_("member"), old)) == "code_expired"
        png = head.get(f"/v1/sessions/{meeting}/code?printed=true&format=png")
        assert png.content[:4] == b"\x89PNG"

    def test_same_id_gets_the_same_answer(self, api: Api, head: Api, meeting: UUID) -> None:
        code = head.get(f"/v1/sessions/{meeting}/code").json()["token"]
        member, sent = (
            api.as_("member"),
            {"id": str(new_id()), "occurred_at": utc_now().isoformat()},
        )
        assert checked_in(member, code, **sent) == checked_in(member, code, **sent)

    def test_is_for_whoever_captures(self, api: Api, meeting: UUID) -> None:
        path = f"/v1/sessions/{meeting}/code"
        assert api.as_("tienluong-1").get(path).status_code == 404
        assert api.as_("auditor").get(path).status_code == 403
        assert api.as_("member").get(path).status_code == 403


class TestKeys:
    def test_cards_and_codes_on_paper_outlive_every_key(
        self, app: FastAPI, head: Api, database: Database, meeting: UUID, her: UUID
    ) -> None:
        """The data keys are replaced, then those of the codes."""
        card = head.post(f"/v1/members/{her}/card").json()["token"]
        code = head.get(f"/v1/sessions/{meeting}/code?printed=true").json()["token"]
        [jwk] = head.get("/.well-known/card-keys.json").json()["keys"]
        old, new = OLD_DATA_KEY, "new-data-keys-of-the-tests-9876543210fedcba"
        url = database.settings.database_url
        with closing(Database(make_settings(url, data_keys=f"{new},{old}"))) as rotating:
            key_rotation.rotate(rotating)
        with (
            closing(Database(make_settings(url, data_keys=new))) as rotated,
            given(app, database=rotated),
        ):
            with writing(rotated) as session:
                code_keys.add(session)
            keys = head.get("/.well-known/card-keys.json").json()["keys"]
            assert len(keys) == 2
            assert keys[1] == jwk
            # Shown again, the card is signed by the new key.
            again = head.get(f"/v1/members/{her}/card").json()["token"]
            assert again != card
            ring = ring_of_session(rotated)
            assert codes.read(ring, card) == codes.read(ring, again)
            assert codes.read(ring, code) == SessionCode(meeting, None)
            [answer] = send(head, meeting, [scanned(card)])
            assert answer["attendance"] == "new"

    def test_of_another_installation_are_foreign(self) -> None:
        mine = Ring(cards=(b"a" * 32,), sessions=(b"b" * 32,))
        other = Ring(cards=(b"c" * 32,), sessions=(b"d" * 32,))
        token = codes.card_code(mine, CardCode(uuid4(), uuid4()))
        with pytest.raises(codes.BadCode, match="code_foreign"):
            codes.read(other, token)


def ring_of_session(database: Database) -> Ring:
    with database.reading() as db:
        return ring_of(db)
