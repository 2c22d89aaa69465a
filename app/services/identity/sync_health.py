"""Whether phones send what they record: what each reports, and what officers see of their units."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.clock import local_day, utc_now
from app.db import AnySelect, settings_of
from app.errors import invalid, not_found
from app.models.identity.devices import Device, DeviceReport, HealthQuery, UnitHealth
from app.models.kernel.access import Right
from app.models.kernel.accounts import Account
from app.models.kernel.units import Unit, UnitRef
from app.services.identity.devices import below
from app.services.kernel.access import Actor, Db, require_somewhere, visible
from app.services.kernel.keyset import Order, Pages, pages
from app.services.kernel.offers import Work

_DAYS_VI = ("thứ Hai", "thứ Ba", "thứ Tư", "thứ Năm", "thứ Sáu", "thứ Bảy", "Chủ nhật")
_IN_USE = col(Device.revoked_at).is_(None)
_LAST_TRY_FAILED = sa.and_(
    col(Device.last_error_at).is_not(None),
    sa.or_(
        col(Device.last_success_at).is_(None),
        col(Device.last_error_at) > col(Device.last_success_at),
    ),
)


# -- the phone reports


def report(session: Session, actor: Actor, device_id: UUID, body: DeviceReport) -> None:
    """Keep what the phone of this very session says of itself.

    Its times are brought to our clock. A success hides no error and an error no success: what a
    report leaves out stays, and a report that comes late takes nothing back.
    """
    if device_id != actor.device_id:
        raise not_found()
    if body.unsent and body.unsent_since is None:
        raise invalid("required", "/unsent_since")
    now = utc_now()
    device = session.get_one(Device, device_id, with_for_update=True)
    values: dict[str, Any] = {
        "unsent": body.unsent,
        "unsent_since": _by_our_clock(body.unsent_since, body, now) if body.unsent else None,
        "reported_at": now,
        "last_seen_at": now,
        "app_version": body.app_version or device.app_version,
    }
    success = _by_our_clock(body.last_success_at, body, now)
    if _is_later(success, device.last_success_at):
        values["last_success_at"] = success
    failed = _by_our_clock(body.last_error_at, body, now)
    if _is_later(failed, device.last_error_at):
        values |= {"last_error_at": failed, "last_error": body.last_error}
    for name, value in values.items():
        setattr(device, name, value)
    session.flush()


def _by_our_clock(moment: datetime | None, body: DeviceReport, now: datetime) -> datetime | None:
    """As long ago as it was by the phone's clock when it sent the report."""
    return moment and now - max(body.sent_at - moment, timedelta())


def _is_later(moment: datetime | None, known: datetime | None) -> bool:
    return moment is not None and (known is None or moment > known)


# -- officers see


def list_health(db: Db, actor: Actor, query: HealthQuery) -> Pages:
    """The units with phones whose accounts the actor may see; what has waited longest first."""
    require_somewhere(db, actor, Right.accounts_read)
    statement: AnySelect = (
        sa.select(
            col(Unit.id).label("unit_id"),
            col(Unit.level),
            col(Unit.name),
            sa.func.count().label("devices"),
            sa.func.sum(col(Device.unsent)).label("unsent"),
            sa.func.min(col(Device.unsent_since)).label("unsent_since"),
            sa.func.max(col(Device.last_seen_at)).label("last_seen_at"),
            sa.func.sum(sa.case((_LAST_TRY_FAILED, 1), else_=0)).label("failing"),
        )
        .join(Account, col(Account.id) == col(Device.account_id))
        .join(Unit, col(Unit.id) == col(Account.unit_id))
        .where(_IN_USE, visible(Unit, actor, Right.accounts_read))
        .group_by(col(Unit.id), col(Unit.level), col(Unit.name))
    )
    if query.unit is not None:
        statement = statement.where(below(db, actor, query.unit))
    units = statement.subquery()
    waiting, seen = units.c.unsent_since.asc().nulls_last(), units.c.last_seen_at.asc()
    return pages(
        sa.select(units),
        Order(waiting, seen, units.c.unit_id.asc()),
        lambda _, rows: [_health(row).model_dump() for row in rows],
    )


def _health(row: Any) -> UnitHealth:
    return UnitHealth(
        unit=UnitRef(id=row.unit_id, level=row.level, name=row.name),
        devices=row.devices,
        unsent=row.unsent,
        unsent_since=row.unsent_since,
        last_seen_at=row.last_seen_at,
        failing=row.failing,
        text_vi=_vietnamese(row),
        text_en=_english(row),
    )


def _vietnamese(row: Any) -> str:
    seen = f"liên lạc lần cuối {_day_vi(row.last_seen_at)}"
    if not row.unsent:
        return f"{row.name} đã gửi hết, {seen}."
    since = _day_vi(row.unsent_since)
    return f"{row.name} còn {row.unsent} bản ghi chưa gửi, từ {since}; {seen}."


def _english(row: Any) -> str:
    seen = f"last heard from on {_day_en(row.last_seen_at)}"
    if not row.unsent:
        return f"{row.name} has sent everything, {seen}."
    since = _day_en(row.unsent_since)
    return f"{row.name} has {row.unsent} unsent records since {since}; {seen}."


def _day_vi(moment: datetime) -> str:
    day = local_day(moment)
    return f"{_DAYS_VI[day.weekday()]} {day:%d/%m/%Y}"


def _day_en(moment: datetime) -> str:
    return f"{local_day(moment):%A %Y-%m-%d}"


def _waiting(db: Db, actor: Actor) -> AnySelect:
    """Phones that have kept something to themselves for longer than it usually takes."""
    limit = utc_now() - timedelta(days=settings_of(db).unsent_days)
    return (
        sa.select(
            col(Device.id),
            col(Device.unsent_since).label("since"),
            col(Account.unit_id),
        )
        .join(Account, col(Account.id) == col(Device.account_id))
        .join(Unit, col(Unit.id) == col(Account.unit_id))
        .where(
            _IN_USE,
            visible(Unit, actor, Right.accounts_write),
            col(Device.unsent_since) < limit,
        )
    )


WORK = Work(
    kind="unsent_records", right=Right.accounts_write, waiting=_waiting, link="/v1/devices/{id}"
)
