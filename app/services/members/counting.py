"""What members are counted by, as an expression of the database and as a value."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from app.models.kernel.units import UnitLevel
from app.models.members.lists import AgeBand, MemberCountBy
from app.models.members.members import Member, MemberKind
from app.services.kernel.access import Db

UNITS = {MemberCountBy.branch: UnitLevel.branch, MemberCountBy.commune: UnitLevel.commune}
# Of each value and kind, how many people.
Counted = list[tuple[str | None, MemberKind, int]]
# Years of age up to which each band goes.
_BANDS = (
    (29, AgeBand.under_30),
    (39, AgeBand.from_30_to_39),
    (49, AgeBand.from_40_to_49),
    (59, AgeBand.from_50_to_59),
)


def grouped(db: Db, statement: sa.Select[Any]) -> Counted:
    # By the label: PostgreSQL takes an expression for another one when its parameters are bound twice.
    rows = db.execute(statement.group_by(sa.text("value"), col(Member.kind)))
    return [(text_of(value), kind, people) for value, kind, people in rows]


def text_of(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


def value_of(by: MemberCountBy | None, year: int) -> Any:
    """What to group by, as an expression over a member."""
    if by is None or by in UNITS:
        return sa.literal(None, sa.String)
    if by is MemberCountBy.joined_year:
        return sa.func.substr(col(Member.joined_on), 1, 4)
    if by is MemberCountBy.age_band:
        age = year - col(Member.birth_year)
        bands = [(age <= last, band.value) for last, band in _BANDS]
        return sa.case(*bands, else_=AgeBand.over_59.value)
    return getattr(Member, by.value)


def field_of(by: MemberCountBy | None) -> str | None:
    """The field of the record that decides the value; None where the record does not."""
    if by is None or by in UNITS:
        return None
    of_dates = {MemberCountBy.age_band: "birth_date", MemberCountBy.joined_year: "joined_on"}
    return of_dates.get(by, by.value)


def value_in(by: MemberCountBy | None, record: Mapping[str, Any], year: int) -> str | None:
    """The same value, of a record at hand whose field decides it."""
    value = record[field_of(by) or ""]
    if by is MemberCountBy.age_band:
        age = year - int(value[:4])
        return next((band.value for last, band in _BANDS if age <= last), AgeBand.over_59.value)
    if by is MemberCountBy.joined_year:
        return None if value is None else str(value[:4])
    return text_of(value)
