"""Members, units and accounts put in place row by row, where a test needs many or odd ones."""

from datetime import date
from typing import Any

from sqlmodel import Session, col, select

from app.db import Database
from app.models.kernel.access import Grant, Role
from app.models.kernel.accounts import Account, AccountKind, AccountStatus
from app.models.kernel.units import Unit, UnitLevel
from app.models.members.members import Member
from app.services.members import identifiers, names
from app.text import name_key, search_key, sort_key, unit_sort_key
from tests.helpers.client import utc_now, writing


def add_unit(session: Session, level: UnitLevel, name: str, parent: Unit | None) -> Unit:
    unit = Unit(
        level=level,
        name=name,
        name_key=name_key(name),
        sort_key=unit_sort_key(name),
        parent_id=parent.id if parent else None,
        province_id=parent.province_id if parent else None,
        district_id=parent.district_id if parent else None,
        commune_id=parent.commune_id if parent else None,
        opened_on=date(1997, 1, 1),
        created_at=utc_now(),
        updated_at=utc_now(),
    )
    session.add(unit)
    session.flush()
    if level not in {UnitLevel.central, UnitLevel.group}:
        setattr(unit, f"{level}_id", unit.id)
        session.flush()
    return unit


def add_member(session: Session, branch: Unit, full_name: str, **values: Any) -> Member:
    assert branch.province_id is not None
    known: dict[str, Any] = {"birth_date": "1980", "birth_year": 1980} | values
    member = Member(
        province_id=branch.province_id,
        commune_id=branch.commune_id,
        branch_id=branch.id,
        full_name=full_name,
        sort_key=sort_key(full_name, known.get("given_name")),
        search_key=search_key(full_name, known.get("given_name")),
        created_at=utc_now(),
        updated_at=utc_now(),
        **known,
    )
    session.add(member)
    session.flush()
    identifiers.remember(session, [member.model_dump()])
    names.remember(session, [member.model_dump()])
    return member


def add_account(session: Session, username: str, roles: dict[int, Role]) -> None:
    now = utc_now()
    account = Account(
        kind=AccountKind.person,
        username=username,
        display_name=username,
        status=AccountStatus.active,
        unit_id=next(iter(roles)),
        created_at=now,
        updated_at=now,
    )
    session.add(account)
    session.flush()
    for unit_id, role in roles.items():
        grant = Grant(
            account_id=account.id,
            unit_id=unit_id,
            role=role,
            valid_from=date(2024, 1, 1),
            created_at=now,
            updated_at=now,
        )
        session.add(grant)
    session.flush()


def member_of(database: Database, username: str) -> str:
    """The id of the record that an account is of."""
    with writing(database) as session:
        found = session.exec(select(Account.member_id).where(col(Account.username) == username))
        return str(found.one())
