"""The names, codes and area types of units, each from a day on."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.db import chunks, insert_many
from app.errors import Problem
from app.models.kernel.units import IdentifierScheme, Unit, UnitIdentifier
from app.services.kernel.access import Db
from app.services.units.tree import DAY
from app.text import name_key


@dataclass(frozen=True, slots=True)
class Asked:
    """The unit is to have this name, code or area type."""

    unit_id: int
    scheme: IdentifierScheme
    value: str


def release(
    session: Session, units: Mapping[int, Unit], asked: Iterable[Asked], since: date
) -> None:
    """End what the units have had of these kinds; what began on that very day is corrected."""
    pairs = {(each.unit_id, each.scheme) for each in asked}
    stored = _stored(session, {unit_id for unit_id, _ in pairs})
    for unit_id, scheme in pairs:
        unit, rows = units[unit_id], stored[unit_id, scheme]
        if not rows:
            if scheme is IdentifierScheme.area_type and unit.opened_on < since:
                _remember_area(session, unit, since - DAY)
        elif rows[-1].valid_from == since:
            session.delete(rows[-1])
        else:
            rows[-1].valid_to = since - DAY
    session.flush()


def _remember_area(session: Session, unit: Unit, until: date) -> None:
    """The area type the unit has had from the first day on: it is stored when it gets another."""
    if unit.area_type is not None:
        session.add(
            UnitIdentifier(
                unit_id=unit.id,
                scheme=IdentifierScheme.area_type,
                value=unit.area_type.value,
                value_key=name_key(unit.area_type.value),
                valid_from=unit.opened_on,
                valid_to=until,
            )
        )


def identify(
    session: Session,
    asked: Collection[Asked],
    since: date,
    until: Mapping[int, date | None],
) -> None:
    """Give these from a day on; `until` has the last days of the units that have closed.

    A correction back to what it was before leaves one period, not two of the same.
    """
    stored = _stored(session, {each.unit_id for each in asked})
    new = []
    for each in asked:
        last_day = until.get(each.unit_id)
        before = next(
            (
                row
                for row in stored[each.unit_id, each.scheme]
                if row.value == each.value and row.valid_to == since - DAY
            ),
            None,
        )
        if before is not None:
            before.valid_to = last_day
            continue
        new.append(
            {
                "unit_id": each.unit_id,
                "scheme": each.scheme,
                "value": each.value,
                "value_key": name_key(each.value),
                "valid_from": since,
                "valid_to": last_day,
            }
        )
    session.flush()
    insert_many(session, UnitIdentifier, new)


def _stored(
    session: Session, unit_ids: Collection[int]
) -> Mapping[tuple[int, IdentifierScheme], list[UnitIdentifier]]:
    found: dict[tuple[int, IdentifierScheme], list[UnitIdentifier]] = defaultdict(list)
    for chunk in chunks(sorted(unit_ids)):
        rows = session.exec(
            select(UnitIdentifier)
            .where(col(UnitIdentifier.unit_id).in_(chunk))
            .order_by(col(UnitIdentifier.valid_from))
        )
        for row in rows:
            found[row.unit_id, row.scheme].append(row)
    return found


def code_holders(
    db: Db, codes: Collection[str], since: date
) -> list[tuple[int, str, date, date | None]]:
    """Which units have one of these codes on a day since then: the unit, the code, from, until."""
    found: list[tuple[int, str, date, date | None]] = []
    for chunk in chunks(sorted(codes)):
        rows = db.execute(
            sa.select(
                col(UnitIdentifier.unit_id),
                col(UnitIdentifier.value),
                col(UnitIdentifier.valid_from),
                col(UnitIdentifier.valid_to),
            ).where(
                col(UnitIdentifier.scheme) == IdentifierScheme.gso,
                col(UnitIdentifier.value).in_(chunk),
                sa.or_(
                    col(UnitIdentifier.valid_to).is_(None), col(UnitIdentifier.valid_to) >= since
                ),
            )
        )
        found += [(row.unit_id, row.value, row.valid_from, row.valid_to) for row in rows]
    return found


def date_conflict(day: date, existing: date) -> Problem:
    return Problem("unit_date_conflict", date=day.isoformat(), existing=existing.isoformat())
