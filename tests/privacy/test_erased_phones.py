"""The phones of somebody who was erased get the order to delete what they keep."""

import pytest
import sqlalchemy as sa
from httpx2 import Response
from sqlmodel import col

from app.db import Database
from app.models.identity.devices import Device
from app.models.kernel.accounts import Account
from app.models.kernel.sessions import AuthSession
from tests.helpers.answers import Json
from tests.helpers.client import Api, writing
from tests.identity.auth import refusal
from tests.identity.devices import Phone, enrolled, stored


def done(answer: Response, *statuses: int) -> Json:
    assert answer.status_code in (statuses or (200,)), answer.text
    found: Json = answer.json()
    return found


def erase(api: Api, member_id: str) -> None:
    province, path = api.as_("phutho"), f"/v1/members/{member_id}"
    done(province.post(f"{path}/departures", json={"reason": "moved_away"}), 201)
    asked = {"kind": "erase", "channel": "in_person", "note": "Chị yêu cầu"}
    request = done(province.post(f"{path}/privacy-requests", json=asked), 201)
    done(api.as_("camkhe").post(f"/v1/privacy/requests/{request['id']}/acknowledge"))
    tried = done(province.post(f"{path}/erasure", json={"dry_run": True}))
    body = {"dry_run": False, "request_id": request["id"], "digest": tried["digest"]}
    done(province.post(f"{path}/erasure", json=body))


@pytest.fixture
def phone(api: Api) -> Phone:
    return enrolled(api, "member")


def told(answer: Response, phone: Phone, *, wipe: bool) -> None:
    body = refusal(answer, 401, "device_revoked")
    assert (body["device_id"], body["wipe"]) == (phone.id, wipe)


def test_are_told_at_the_next_call_and_confirm(api: Api, phone: Phone, database: Database) -> None:
    with writing(database) as session:
        hers = sa.select(col(Account.id), col(Account.member_id))
        account_id, member_id = session.execute(hers.where(col(Account.username) == "member")).one()
    other = enrolled(api, "phuongvi-1")
    erase(api, str(member_id))
    told(phone.refreshed(), phone, wipe=True)
    told(phone.refreshed(), phone, wipe=True)
    [device] = [each for each in stored(database) if each.account_id == account_id]
    assert device.name != "Máy của Lan"
    assert device.revoked_at is not None
    assert device.wipe_requested_at is not None
    with writing(database) as session:
        rows = session.execute(
            sa.select(
                col(AuthSession.device), col(AuthSession.network), col(AuthSession.revoked_at)
            )
            .join(Device, col(Device.id) == col(AuthSession.device_id))
            .where(col(Device.id) == device.id)
        ).all()
    assert [(row.device, row.network, row.revoked_at is None) for row in rows] == [
        (None, None, False)
    ]
    phone.confirm_wiped()
    told(phone.refreshed(), phone, wipe=False)
    assert other.api.get("/v1/me").status_code == 200


def test_what_was_wiped_before_is_not_told_again(
    api: Api, phone: Phone, database: Database
) -> None:
    done(phone.api.post(f"{phone.path}/revoke", json={"wipe": True}))
    phone.confirm_wiped()
    before = stored(database)[0]
    with writing(database) as session:
        member_id = session.execute(
            sa.select(col(Account.member_id)).where(col(Account.username) == "member")
        ).scalar_one()
    erase(api, str(member_id))
    after = stored(database)[0]
    assert (after.wiped_at, after.wipe_requested_at, after.revoked_at) == (
        before.wiped_at,
        before.wipe_requested_at,
        before.revoked_at,
    )
    told(phone.refreshed(), phone, wipe=False)


def test_a_disabled_account_keeps_what_was_not_sent(api: Api, phone: Phone) -> None:
    """An officer may hand it in; to wipe is a decision of its own."""
    account = done(phone.api.get("/v1/me"))
    done(api.as_("phutho").post(f"/v1/accounts/{account['id']}/disable"))
    refusal(phone.refreshed(), 401, "refresh_refused")
    done(api.as_("phutho").post(f"{phone.path}/revoke", json={"wipe": True}))
    told(phone.refreshed(), phone, wipe=True)
