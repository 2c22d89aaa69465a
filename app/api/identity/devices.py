"""Devices: the phones that keep records."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request, Response
from sqlalchemy.engine import Connection
from sqlmodel import Session

from app.api.http.conditional import entity, expected_revisions
from app.api.http.deps import ActorDep
from app.api.http.paging import STREAMED, listing
from app.api.http.routing import Router
from app.api.http.server import address_of, server_of
from app.models.identity.devices import (
    DeviceEnrol,
    DevicePage,
    DeviceQuery,
    DeviceRead,
    DeviceReport,
    DeviceRevoke,
    DeviceUpdate,
    DeviceWiped,
    HealthPage,
    HealthQuery,
    UnitHealth,
)
from app.services.identity import devices, sync_health

public = Router(prefix="/v1/devices", tags=["devices"], public=True)
router = Router(prefix="/v1/devices", tags=["devices"])
DevicePath = Annotated[UUID, Path(description="Id of the device.")]


@public.post("/wiped", status_code=204)
def confirm_wiped(session: Session, request: Request, body: DeviceWiped) -> None:
    """The phone has deleted what it kept under a revoked device. Its session has ended, so that it
    shows its last refresh token; unknown tokens are no error."""
    server = server_of(request)
    server.signin.lockout.count_attempt(address_of(request))
    devices.confirm_wiped(session, server.signin, body.token)


@router.get("", response_model=DevicePage, responses=STREAMED)
def list_devices(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[DeviceQuery, Query()]
) -> Response:
    """My devices and those of the accounts that I may see, the newest first."""
    return listing(request, db, query, DeviceRead, devices.list_devices(db, actor, query))


@router.post(
    "",
    status_code=201,
    response_model=DeviceRead,
    responses={200: {"model": DeviceRead, "description": "Enrolled before."}},
    refuses_old_apps=True,
)
def enrol_device(
    session: Session, actor: ActorDep, request: Request, body: DeviceEnrol
) -> Response:
    """Enrol the phone that asks, under the id that its app has made; this sign-in session belongs
    to it from now on.

    Sent again it changes nothing but the version of the app. After a later sign-in, send the id
    with the password (`device_id`), or enrol again.
    """
    device, is_new = devices.enrol(session, server_of(request).signin, actor, body)
    return entity(
        request,
        device,
        status=201 if is_new else 200,
        location=f"/v1/devices/{device.id}",
        derived=True,
    )


@router.get("/health", response_model=HealthPage, responses=STREAMED)
def list_sync_health(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[HealthQuery, Query()]
) -> Response:
    """What the phones of my units have not sent: what has waited longest first, then who was not
    heard from for longest."""
    return listing(request, db, query, UnitHealth, sync_health.list_health(db, actor, query))


@router.get("/{device_id}", response_model=DeviceRead)
def get_device(
    db: Connection, actor: ActorDep, request: Request, device_id: DevicePath
) -> Response:
    """A device of mine, or of an account that I may see."""
    return entity(request, devices.get_device(db, actor, device_id), derived=True)


@router.patch("/{device_id}", response_model=DeviceRead)
def rename_device(
    session: Session, actor: ActorDep, request: Request, device_id: DevicePath, body: DeviceUpdate
) -> Response:
    """Give a device another name."""
    expected = expected_revisions(request)
    return entity(request, devices.rename(session, actor, device_id, body, expected), derived=True)


@router.post("/{device_id}/revoke", response_model=DeviceRead)
def revoke_device(
    session: Session, actor: ActorDep, request: Request, device_id: DevicePath, body: DeviceRevoke
) -> Response:
    """End a device: its sign-in sessions end within 5 seconds, and at its next call the phone gets
    401 `device_revoked`, with `wipe` where it has to delete what it keeps. A device that was revoked
    can still be asked to wipe. Nobody takes a revocation back: the phone enrols under another id.
    """
    signin = server_of(request).signin
    revoked = devices.revoke(session, signin, actor, device_id, wipe=body.wipe)
    return entity(request, revoked, derived=True)


@router.post("/{device_id}/report", status_code=204)
def report_device(
    session: Session, actor: ActorDep, device_id: DevicePath, body: DeviceReport
) -> None:
    """The phone of this session reports how many records it has not sent, since when, its last success
    and its last error. What is left out stays as it was reported before."""
    sync_health.report(session, actor, device_id, body)
