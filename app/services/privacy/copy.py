"""A person's copy of her data: every row of every table that is hers, by the registry of holdings."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic_core import to_jsonable_python
from sqlmodel import col

from app.clock import utc_now
from app.db import chunks, vault_of
from app.models.households.households import Household
from app.models.kernel.access import Right
from app.models.kernel.accounts import Account
from app.models.kernel.changes import Change
from app.models.kernel.units import Unit
from app.models.members.members import Member
from app.models.privacy.copy import NamedAccount, NamedUnit, PersonalData, Section
from app.services.audit import history
from app.services.kernel.access import Actor, Db, ensure
from app.services.kernel.holdings import Holding
from app.services.kernel.manifest import manifest, tracked_of
from app.services.members import merged, persons
from app.services.privacy import rules


def collect(db: Db, actor: Actor, member_id: UUID) -> PersonalData:
    """The whole copy, to be handed to the person; the actor needs the rights to see all of it."""
    person = persons.access_member(db, actor, member_id, Right.privacy_manage)
    for right in tracked_of(Member).masks.values():
        ensure(db, actor, right, person, seen_with=Right.members_read)
    accounts = sa.select(col(Account.id)).where(col(Account.member_id) == member_id)
    account_ids = list(db.execute(accounts).scalars())
    ids = [member_id, *merged.former_ids(db, member_id)]
    households = sa.select(col(Household.id)).where(col(Household.head_id).in_(ids))
    household_ids = list(db.execute(households).scalars())
    if household_ids:
        for right in _rights_of_households():
            ensure(db, actor, right, person, seen_with=Right.members_read)

    def whose(holding: Holding) -> Sequence[UUID]:
        if holding.of_account:
            return account_ids
        return household_ids if holding.of_household else ids

    found = [(holding, _rows(db, holding, whose(holding))) for holding in manifest().holdings]
    sections = [_section(holding, rows) for holding, rows in found if rows]
    log = _log(db, member_id, found)
    if log:
        sections.append(
            Section(table="change", vi="Nhật ký thay đổi", en="What was changed", rows=log)
        )
    whole = [row for _, rows in found for row in rows] + log
    return PersonalData(
        member_id=member_id,
        made_at=utc_now(),
        purposes=rules.of(db).purposes.items,
        sections=sections,
        units=_units(db, whole),
        accounts=_accounts(db, whole),
    )


def _rights_of_households() -> Iterable[Right]:
    """What it takes to read all that is written of a household."""
    told = manifest()
    logged = [told.tracked.get(each.model) for each in told.holdings if each.of_household]
    needed = [
        right
        for tracked in logged
        if tracked is not None
        for right in (tracked.read_right, *tracked.masks.values())
    ]
    return dict.fromkeys(needed)


def _rows(db: Db, holding: Holding, ids: Sequence[UUID]) -> list[Mapping[str, Any]]:
    table = holding.table
    statement = sa.select(table).where(holding.names(ids))
    rows = db.execute(statement.order_by(*table.primary_key.columns)).mappings()
    return [dict(row) for row in rows]


def _section(holding: Holding, rows: Iterable[Mapping[str, Any]]) -> Section:
    vi, en = (words.partition(";")[0] for words in (holding.vi, holding.en))
    shown = [
        {name: value for name, value in row.items() if name not in holding.internal} for row in rows
    ]
    return Section(table=holding.name, vi=vi, en=en, rows=to_jsonable_python(shown))


def _log(
    db: Db, member_id: UUID, found: Iterable[tuple[Holding, Sequence[Mapping[str, Any]]]]
) -> list[dict[str, Any]]:
    """What the log keeps of her records, those that are gone too, oldest first."""
    vault, entries = vault_of(db), []
    for holding, rows in found:
        tracked = manifest().tracked.get(holding.model)
        if tracked is None:
            continue
        gone = history.deleted_of(db, tracked.entity, member_id) if holding.deletable else set()
        ids = sorted(gone | {str(row["id"]) for row in rows if "id" in row})
        for chunk in chunks(ids):
            entries += [
                {
                    "at": row.at,
                    "entity": row.entity,
                    "entity_id": row.entity_id,
                    "operation": row.operation,
                    "account_id": row.account_id,
                    "before": history.shown(vault, tracked, row.before, ()),
                    "after": history.shown(vault, tracked, row.after, ()),
                }
                for row in db.execute(
                    _CHANGES.where(
                        col(Change.entity) == tracked.entity,
                        col(Change.entity_id).in_(chunk),
                    )
                )
            ]
    log: list[dict[str, Any]] = to_jsonable_python(sorted(entries, key=lambda each: each["at"]))
    return log


_CHANGES = sa.select(
    *(
        getattr(Change, name)
        for name in ("at", "entity", "entity_id", "operation", "account_id", "before", "after")
    )
)


def _units(db: Db, rows: Iterable[Mapping[str, Any]]) -> list[NamedUnit]:
    ids = {
        value
        for row in rows
        for name, value in row.items()
        if type(value) is int and name.endswith(_OF_UNITS)
    }
    named = db.execute(
        sa.select(col(Unit.id), col(Unit.name)).where(col(Unit.id).in_(ids)).order_by(col(Unit.id))
    )
    return [NamedUnit(id=row.id, name=row.name) for row in named]


_OF_UNITS = ("branch_id", "commune_id", "province_id", "unit_id", "group_id")
_UUID_LENGTH = 36  # `left_by` is a code
_OF_ACCOUNTS = ("_by", "account_id", "assigned_to")


def _accounts(db: Db, rows: Iterable[Mapping[str, Any]]) -> list[NamedAccount]:
    """The accounts behind the ids in these rows."""
    ids = {
        UUID(str(value))
        for row in rows
        for name, value in row.items()
        if name.endswith(_OF_ACCOUNTS) and len(str(value)) == _UUID_LENGTH
    }
    found: list[NamedAccount] = []
    listed = sorted(ids)
    for chunk in chunks(listed):
        named = db.execute(
            sa.select(col(Account.id), col(Account.display_name))
            .where(col(Account.id).in_(chunk))
            .order_by(col(Account.id))
        )
        found += [NamedAccount(id=row.id, name=row.display_name) for row in named]
    return found
