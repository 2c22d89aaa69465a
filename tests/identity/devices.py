"""What the tests of devices share."""

from uuid import uuid4

from httpx2 import Response
from sqlmodel import col, select

from app.db import Database
from app.models.identity.devices import Device
from tests.helpers.client import Api, writing
from tests.identity.auth import refreshed, signed_in

PHONE = {"name": "Máy của Lan", "platform": "android", "app_version": "1.4.0"}


class Phone:
    """The app of one account on one phone: what it has in its key store."""

    def __init__(self, api: Api, username: str, device_id: str | None = None) -> None:
        self.id = device_id or str(uuid4())
        pair = signed_in(api, username, **({"device_id": device_id} if device_id else {})).json()
        self.bound_to: str | None = pair["device_id"]
        self.access: str = pair["access_token"]
        self.refresh: str = pair["refresh_token"]
        self.api = Api(api.app, {"authorization": f"Bearer {self.access}"}, username)

    @property
    def path(self) -> str:
        return f"/v1/devices/{self.id}"

    def enrol(self, **other: object) -> Response:
        return self.api.post("/v1/devices", json={"id": self.id, **PHONE, **other})

    def refreshed(self) -> Response:
        return refreshed(self.api, self.refresh)

    def confirm_wiped(self) -> None:
        answer = Api(self.api.app).post("/v1/devices/wiped", json={"token": self.refresh})
        assert answer.status_code == 204


def enrolled(api: Api, username: str) -> Phone:
    phone = Phone(api, username)
    assert phone.enrol().status_code == 201
    return phone


def stored(database: Database) -> list[Device]:
    with writing(database) as session:
        return list(session.exec(select(Device).order_by(col(Device.id))).all())
