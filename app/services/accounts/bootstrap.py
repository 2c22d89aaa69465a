"""The first unit and the first officer: made on the server itself, where no one can grant yet."""

from datetime import date
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlmodel import Session, col, select

from app.clock import local_today
from app.config import Settings
from app.models.base import new_id
from app.models.kernel.access import ROLE_LEVEL, Grant, Role
from app.models.kernel.accounts import (
    Account,
    AccountKind,
    AccountStatus,
    DisplayName,
    Username,
)
from app.models.kernel.units import Unit, UnitCode, UnitLevel, UnitName
from app.services.identity import accounts, grants
from app.services.kernel.access import Actor
from app.services.kernel.actors import load_actor_of_job
from app.services.units.roots import plant
from app.services.units.rows import find
from app.services.units.units import ensure_open

# Members carry a province (NOT NULL): a root below it could never have any.
_ROOT_LEVELS = (UnitLevel.central, UnitLevel.province)


class Refused(Exception):
    """A command on the server cannot be carried out; the message gives the reason."""


def open_root(
    session: Session, *, level: UnitLevel, name: str, opened_on: date, code: str | None
) -> int:
    """Open the unit above all others, once."""
    if level not in _ROOT_LEVELS:
        raise Refused(f"the first unit is a province (or central), not a {level.value}")
    if opened_on > local_today():
        raise Refused(f"{opened_on} is in the future")
    name = _checked(UnitName, name, "the name has 1 to 200 characters on one line")
    if code is not None:
        code = _checked(UnitCode, code, "a code has 1 to 20 characters on one line")
    if session.exec(select(Unit.id).limit(1)).first() is not None:
        raise Refused("there are units already: open others over HTTP with POST /v1/units")
    return plant(session, level=level, name=name, code=code, opened_on=opened_on)


def _checked(kind: Any, value: str, rule: str) -> str:
    """The value as the API would take it."""
    try:
        found: str = TypeAdapter(kind).validate_python(value)
    except ValidationError:
        raise Refused(rule) from None
    return found


def give_account(
    session: Session, settings: Settings, *, username: str, display_name: str, role: Role, unit: str
) -> tuple[Account, str | None]:
    """Grant a role to an account, made if need be; with the one-time code of a new one."""
    username = _checked(
        Username,
        username,
        "a user name has 3 to 64 letters (without marks), digits and . _ @ -,"
        " and begins with a letter or a digit",
    )
    display_name = _checked(
        DisplayName, display_name, "the name shown has 1 to 120 characters on one line"
    )
    found = find_unit(session, unit)
    ensure_open(found, local_today())
    if (level := ROLE_LEVEL.get(role, found.level)) is not found.level:
        raise Refused(
            f"{role.value} is a role over a {level.value}; {found.name} is a {found.level.value}"
        )
    account, code = accounts.named(session, username), None
    if account is None:
        account = accounts.new(AccountKind.person, username, display_name, found.id)
        code = accounts.arm(account, settings.one_time_code_days, by=None).code
        accounts.enter(session, account)
    else:
        _ensure_takes(session, account, role, found)
    grants.give(session, grants.new(account.id, found.id, role, local_today()))
    return account, code


def find_unit(session: Session, code_or_id: str) -> Unit:
    unit_id = session.exec(
        select(Unit.id).where(col(Unit.code) == code_or_id, col(Unit.closed_on).is_(None))
    ).first()
    if unit_id is None and code_or_id.isascii() and code_or_id.isdigit() and len(code_or_id) < 10:
        unit_id = int(code_or_id)
    found = None if unit_id is None else find(session, unit_id)
    if found is None:
        raise Refused(f"there is no unit with the code or id {code_or_id}")
    return found


def _ensure_takes(session: Session, account: Account, role: Role, unit: Unit) -> None:
    """A second grant of the same role, or one to a disabled account, would have no effect."""
    if account.status is AccountStatus.disabled:
        raise Refused(
            f"the account {account.username} is disabled:"
            f" let it in again with POST /v1/accounts/{account.id}/enable"
        )
    held = session.exec(
        select(Grant.id).where(
            col(Grant.account_id) == account.id,
            col(Grant.unit_id) == unit.id,
            col(Grant.role) == role,
            col(Grant.valid_to).is_(None),
        )
    ).first()
    if held is not None:
        raise Refused(f"{account.username} is {role.value} over {unit.name} already")


def acting_as(session: Session, username: str) -> Actor:
    """The account in whose name a command of the server works, with its rights of now."""
    account_id = session.exec(select(Account.id).where(col(Account.username) == username)).first()
    # No sign-in session: a person who may start the command needs none.
    actor = account_id and load_actor_of_job(session, account_id, new_id(), "hoiso")
    if not actor:
        raise Refused(f"there is no account {username}, or it is disabled")
    return actor
