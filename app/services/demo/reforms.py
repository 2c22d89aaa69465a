"""The two reforms of 2025 on the demo's tree of 2024: as drafts, or done (data/demo/reforms.yaml)."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.models.base import Input
from app.models.kernel.access import Role
from app.models.kernel.accounts import Account, AccountKind
from app.models.kernel.changes import ChangeSource
from app.models.kernel.units import AreaType, Unit, UnitLevel
from app.models.members.members import Gender
from app.models.reorganisations.operations import (
    MergeUnits,
    Named,
    OpenUnit,
    RenameUnit,
    RetireLevel,
    UnitChange,
)
from app.models.reorganisations.reorganisations import (
    ReorganisationApply,
    ReorganisationCreate,
    ReorganisationUpdate,
)
from app.services.demo.draws import DEFAULT_SEED, read_data, seeded
from app.services.demo.people import full_name
from app.services.demo.plan import DemoAccount
from app.services.identity import accounts, grants
from app.services.kernel import changes
from app.services.kernel.access import Actor
from app.services.kernel.actors import load_actor_of_job
from app.services.reorganisations import deciding, drafts, reading
from app.services.reorganisations.preview import digest_of, name_clashes

_DRAFTED_BY: Final = "phutho-2"
_APPLIED_BY: Final = "phutho"


class _Enlarged(Input):
    """A commune that goes on under a new name, with those that close. Units are named by their codes."""

    into: str
    name: str
    closing: list[str]
    inferred: bool = False


class _Founded(Input):
    """A commune that opens, with those that it is made of; `slug` is the name of its account."""

    code: str
    slug: str
    name: str
    closing: list[str]


class _Reform(Input):
    effective_on: date
    decree: str
    note: str
    enlarged: list[_Enlarged] = []
    founded: list[_Founded] = []
    retired: UnitLevel | None = None


def _reforms() -> list[_Reform]:
    return [_Reform.model_validate(each) for each in read_data("reforms.yaml")]


def draft(session: Session) -> list[UUID]:
    """Those that concern a commune of this demo, as drafts of one officer of the province."""
    changes.attribute(session, changes.Origin(ChangeSource.demo))
    actor = _actor(session, _DRAFTED_BY)
    province_id = actor.grants[0].unit_id
    units = _communes_by_code(session, province_id)
    found = []
    for reform in _reforms():
        operations = list(_operations(reform, units, province_id))
        if operations:
            body = ReorganisationCreate(
                effective_on=reform.effective_on,
                decree=reform.decree,
                note=reform.note,
                operations=operations,
            )
            found.append(deciding.create(session, actor, body)[0].id)
    return found


def _communes_by_code(session: Session, province_id: int) -> Mapping[str, int]:
    rows = session.execute(
        sa.select(col(Unit.code), col(Unit.id)).where(
            col(Unit.province_id) == province_id,
            col(Unit.level) == UnitLevel.commune,
            col(Unit.code).is_not(None),
        )
    )
    return {row.code: row.id for row in rows}


def _operations(
    reform: _Reform, units: Mapping[str, int], province_id: int
) -> Iterator[UnitChange]:
    """What it does to the units that there are: the small demo has two communes."""
    for commune in reform.enlarged:
        closing = _known(units, commune.closing)
        if commune.into in units and closing:
            into, inferred = units[commune.into], commune.inferred
            yield MergeUnits(op="merge", unit_ids=closing, into_id=into, inferred=inferred)
            yield RenameUnit(op="rename", unit_id=into, name=commune.name)
    founded = [each for each in reform.founded if _known(units, each.closing)]
    for each in founded:
        yield OpenUnit(
            op="open",
            key=each.slug,
            level=UnitLevel.commune,
            name=each.name,
            parent_id=province_id,
            code=each.code,
            area_type=AreaType.rural,
        )
    for each in founded:
        yield MergeUnits(op="merge", unit_ids=_known(units, each.closing), into_id=each.slug)
    if founded and reform.retired is not None:
        yield RetireLevel(op="retire_level", level=reform.retired, under_id=province_id)


def _known(units: Mapping[str, int], codes: Iterable[str]) -> list[Named]:
    return [units[code] for code in codes if code in units]


def _actor(session: Session, username: str) -> Actor:
    account_id = session.execute(
        sa.select(col(Account.id)).where(col(Account.username) == username)
    ).scalar_one()
    actor = load_actor_of_job(session, account_id, account_id, None)
    assert actor is not None  # noqa: S101  # the demo has just made the account
    return actor


# -- done


def carry_out(session: Session, reorganisation_id: UUID, password_hash: str) -> None:
    """One of the drafts, as two officers of the province do it: with the names that its preview
    proposes where branches would have one name. The communes that it opens get an account each."""
    drafter, decider = _actor(session, _DRAFTED_BY), _actor(session, _APPLIED_BY)
    row = drafts.lock(session, decider, reorganisation_id)
    renames = [
        RenameUnit(op="rename", unit_id=int(unit_id), name=name)
        for clash in name_clashes(drafts.plan_of(session, decider, row))
        for unit_id, name in clash.proposed.items()
    ]
    if renames:
        body = ReorganisationUpdate(operations=[*reading.operations_of(row), *renames])
        row = drafts.update(session, drafter, row.id, body, None)
    digest = digest_of(drafts.plan_of(session, decider, row))
    deciding.apply(session, decider, row.id, ReorganisationApply(digest=digest), "vi")
    for username, unit_id in (row.opened or {}).items():
        _open_account(session, username, unit_id, row.effective_on, password_hash)


def founded_accounts() -> list[DemoAccount]:
    """Those that `carry_out` opens."""
    what = "officer of a commune of the reform"
    founded = [commune for reform in _reforms() for commune in reform.founded]
    return [DemoAccount(each.slug, Role.commune_officer, each.slug, what) for each in founded]


def _open_account(
    session: Session, username: str, unit_id: int, since: date, password_hash: str
) -> None:
    name = full_name(seeded(DEFAULT_SEED, username), Gender.female, "01", 1982)
    account = accounts.new(AccountKind.person, username, name, unit_id, password_hash=password_hash)
    accounts.let_in(account)
    accounts.enter(session, account)
    session.add(grants.new(account.id, unit_id, Role.commune_officer, since))
    session.flush()
