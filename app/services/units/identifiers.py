"""The names and codes of a unit, each from a day on."""

from datetime import date

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.errors import Problem
from app.models.kernel.units import IdentifierScheme, Unit, UnitIdentifier
from app.services.units.tree import DAY
from app.text import name_key


def identify(
    session: Session,
    unit_id: int,
    scheme: IdentifierScheme,
    value: str,
    since: date,
    until: date | None = None,
) -> None:
    """Give a name or code from a day on; a code belongs to one unit at a time."""
    if scheme is IdentifierScheme.gso:
        _ensure_code_free(session, unit_id, value, since, until)
    session.add(
        UnitIdentifier(
            unit_id=unit_id,
            scheme=scheme,
            value=value,
            value_key=name_key(value),
            valid_from=since,
            valid_to=until,
        )
    )
    session.flush()


def _ensure_code_free(
    session: Session, unit_id: int, code: str, since: date, until: date | None
) -> None:
    """No other unit has the code on any of these days (changes of codes hold the tree's lock)."""
    others = select(UnitIdentifier.unit_id).where(
        col(UnitIdentifier.scheme) == IdentifierScheme.gso,
        col(UnitIdentifier.value) == code,
        col(UnitIdentifier.unit_id) != unit_id,
        sa.or_(col(UnitIdentifier.valid_to).is_(None), col(UnitIdentifier.valid_to) >= since),
    )
    if until is not None:
        others = others.where(col(UnitIdentifier.valid_from) <= until)
    if session.exec(others).first() is not None:
        raise Problem("code_taken", value=code)


def identify_from(
    session: Session, unit: Unit, scheme: IdentifierScheme, value: str, since: date
) -> None:
    """A new name or code from a day on; on the day of the last change it corrects that one."""
    last = _last_identifier(session, unit, scheme)
    if last is None:
        identify(session, unit.id, scheme, value, since, unit.closed_on)
        return
    if since < last.valid_from:
        raise date_conflict(since, last.valid_from)
    if since == last.valid_from:
        if scheme is IdentifierScheme.gso:
            _ensure_code_free(session, unit.id, value, since, last.valid_to)
        last.value = value
        last.value_key = name_key(value)
        _rejoin(session, last)
        return
    until = last.valid_to
    last.valid_to = since - DAY
    session.flush()
    identify(session, unit.id, scheme, value, since, until)


def remember_area(session: Session, unit: Unit) -> None:
    """The area type the unit has had from the first day on, before it gets another."""
    if (
        unit.area_type is not None
        and _last_identifier(session, unit, IdentifierScheme.area_type) is None
    ):
        scheme, first = IdentifierScheme.area_type, unit.opened_on
        identify(session, unit.id, scheme, unit.area_type.value, first, unit.closed_on)


def _last_identifier(
    session: Session, unit: Unit, scheme: IdentifierScheme
) -> UnitIdentifier | None:
    return session.exec(
        select(UnitIdentifier)
        .where(col(UnitIdentifier.unit_id) == unit.id, col(UnitIdentifier.scheme) == scheme)
        .order_by(col(UnitIdentifier.valid_from).desc())
        .limit(1)
    ).one_or_none()


def ensure_since(session: Session, unit: Unit, scheme: IdentifierScheme, since: date) -> None:
    """The value it has already, given with another first day: refused, not passed over."""
    last = _last_identifier(session, unit, scheme)
    if last is not None and last.valid_from != since:
        raise date_conflict(since, last.valid_from)


def _rejoin(session: Session, last: UnitIdentifier) -> None:
    """A correction back to what it was before leaves one period, not two of the same."""
    before = session.exec(
        select(UnitIdentifier).where(
            col(UnitIdentifier.unit_id) == last.unit_id,
            col(UnitIdentifier.scheme) == last.scheme,
            col(UnitIdentifier.value) == last.value,
            col(UnitIdentifier.valid_to) == last.valid_from - DAY,
        )
    ).one_or_none()
    if before is not None:
        until = last.valid_to
        session.delete(last)
        session.flush()
        before.valid_to = until
    session.flush()


def date_conflict(day: date, existing: date) -> Problem:
    return Problem("unit_date_conflict", date=day.isoformat(), existing=existing.isoformat())
