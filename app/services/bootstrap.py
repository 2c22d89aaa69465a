"""The first unit and the first officer: made on the server itself, where no one can grant yet."""

from datetime import date, timedelta

from sqlmodel import Session, col, select

from app.clock import local_today, utc_now
from app.models.access import Grant, Role
from app.models.accounts import Account, AccountStatus
from app.models.units import (
    IdentifierScheme,
    Unit,
    UnitClosure,
    UnitIdentifier,
    UnitLevel,
)
from app.security import canonical_code, digest, new_code
from app.services.signin import Signin
from app.text import name_key


def open_root(session: Session, *, level: str, name: str, opened_on: str, code: str | None) -> int:
    """Open the unit above all others; ValueError when there is one already."""
    if session.exec(select(Unit.id).limit(1)).first() is not None:
        raise ValueError("there are units already: open others with POST /v1/units")
    now, since = utc_now(), date.fromisoformat(opened_on)
    unit = Unit(
        level=UnitLevel(level),
        name=name,
        name_key=name_key(name),
        code=code,
        opened_on=since,
        created_at=now,
        updated_at=now,
    )
    session.add(unit)
    session.flush()
    own = f"{unit.level.value}_id"
    if hasattr(unit, own):
        setattr(unit, own, unit.id)
    session.add(UnitClosure(ancestor_id=unit.id, descendant_id=unit.id, valid_from=since, depth=0))
    session.add(
        UnitIdentifier(unit_id=unit.id, scheme=IdentifierScheme.name, value=name, valid_from=since)
    )
    if code:
        session.add(
            UnitIdentifier(
                unit_id=unit.id, scheme=IdentifierScheme.gso, value=code, valid_from=since
            )
        )
    session.flush()
    return unit.id


def give_account(
    session: Session, signin: Signin, *, username: str, display_name: str, role: Role, unit: str
) -> str | None:
    """Grant a role to an account, made if need be; the one-time code of a new one."""
    found = session.exec(
        select(Unit).where(col(Unit.code) == unit, col(Unit.closed_on).is_(None))
    ).first()
    if found is None and unit.isdigit():
        found = session.get(Unit, int(unit))
    if found is None:
        raise ValueError(f"no unit {unit}")
    now = utc_now()
    username = username.strip().lower()  # as sign-in reads it
    account = session.exec(select(Account).where(col(Account.username) == username)).first()
    code = None
    if account is None:
        code = new_code()
        account = Account(
            username=username,
            display_name=display_name,
            status=AccountStatus.invited,
            unit_id=found.id,
            code_digest=digest(canonical_code(code)),
            code_expires_at=now + timedelta(days=signin.settings.one_time_code_days),
            created_at=now,
            updated_at=now,
        )
        session.add(account)
        session.flush()
    session.add(
        Grant(
            account_id=account.id,
            unit_id=found.id,
            role=role,
            valid_from=local_today(),
            created_at=now,
            updated_at=now,
        )
    )
    session.flush()
    return code
