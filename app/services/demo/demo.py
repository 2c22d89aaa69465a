"""Loading the demo that `demo_plan` has planned into an empty database."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import chain, groupby, repeat
from operator import attrgetter
from random import Random
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, SQLModel, select

from app.clock import local_today, utc_now
from app.db import chunks, on_sqlite
from app.models.base import Revised, new_id
from app.models.cadres.appointments import Appointment, AppointmentBasis, Payment, Post
from app.models.households.households import (
    Household,
    HouseholdEvent,
    HouseholdPerson,
    HouseholdPlace,
)
from app.models.kernel.access import Grant, Role
from app.models.kernel.accounts import Account, AccountKind, AccountStatus
from app.models.kernel.changes import ChangeSource
from app.models.kernel.units import (
    IdentifierScheme,
    Unit,
    UnitClosure,
    UnitEdge,
    UnitIdentifier,
    UnitLevel,
)
from app.models.members.fields import earliest
from app.models.members.members import Gender, Member, MemberKind, MemberStatus
from app.models.members.spells import Joined, Membership
from app.models.poverty.poverty import Assessment, PovertyStatus
from app.models.support.escape_paths import EscapeCheck, EscapePath, EscapeStep
from app.models.support.support import Support
from app.services.demo import households
from app.services.demo.draws import DEFAULT_SEED
from app.services.demo.homes import Homes, Values
from app.services.demo.people import DemoPerson
from app.services.demo.plan import (
    NO_VICE_CHAIR,
    TERM,
    DemoAccount,
    DemoPlan,
    PlannedUnit,
    Scale,
    plan,
)
from app.services.kernel import changes
from app.services.members import identifiers, names
from app.services.poverty import account as poverty_account
from app.services.poverty import editions
from app.text import name_key, search_key, sort_key, unit_sort_key

GRANTED_ON: Final = date(2022, 1, 1)


@dataclass(frozen=True, slots=True)
class Demo:
    """`accounts` are those to introduce, all with the one password; the totals count everything."""

    units: int
    branches: int
    members: int
    accounts_total: int


def is_empty(session: Session) -> bool:
    return session.exec(select(Unit.id).limit(1)).first() is None


def load(
    session: Session,
    *,
    scale: Scale,
    password_hash: str,
    progress: Callable[[str, int, int], None],
    commit: Callable[[], None],
    seed: int = DEFAULT_SEED,
) -> Demo:
    """Fill an empty database.

    `commit` is called after the units and after each commune, so that SQLite's other writers get
    their turn; with a `commit` that does nothing the load is one transaction. `progress` gets the
    commune at work and how many members of how many are done.
    """
    planned = plan(scale, seed)
    now = utc_now()
    changes.attribute(session, changes.Origin(ChangeSource.demo))

    done, total = 0, planned.members
    progress(planned.at(UnitLevel.province)[0].name, done, total)
    _write_units(session, planned, now)
    below = (UnitLevel.commune, UnitLevel.branch)
    above = [unit for unit in planned.units if unit.level not in below]
    accounts = _write_people(session, planned, above, password_hash, now)
    commit()
    branches = planned.at(UnitLevel.branch)
    for commune, in_commune in groupby(branches, attrgetter("parent")):
        units = list(in_commune)
        homes = scale is not Scale.small
        people = [*units, commune]
        accounts += _write_people(session, planned, people, password_hash, now, homes=homes)
        done += sum(unit.members for unit in units)
        commit()
        progress(commune.name, done, total)

    if scale is not Scale.small:
        for province in planned.at(UnitLevel.province):
            editions.write(session, province.id, 1, local_today().year - 1)
        commit()

    return Demo(
        units=len(planned.units),
        branches=len(branches),
        members=done,
        accounts_total=accounts,
    )


def _write_units(session: Session, planned: DemoPlan, now: datetime) -> None:
    units = planned.units
    _insert(session, Unit, [_unit_row(unit) for unit in units], now)
    _insert(session, UnitEdge, [row for unit in units for row in _edge_rows(unit)], now)
    _insert(session, UnitClosure, [row for unit in units for row in _closure_rows(unit)], now)
    _insert(session, UnitIdentifier, [row for unit in units for row in _identifier_rows(unit)], now)
    if not on_sqlite(session):
        # We chose the ids ourselves; the next unit must get the one after them.
        sequence = sa.func.pg_get_serial_sequence("unit", "id")
        session.connection().execute(
            sa.select(sa.func.setval(sequence, max(unit.id for unit in units)))
        )


def _write_people(
    session: Session,
    planned: DemoPlan,
    units: Sequence[PlannedUnit],
    password_hash: str,
    now: datetime,
    *,
    homes: bool = False,
) -> int:
    """Members, posts, accounts and grants of these units, a commune after its branches; with
    `homes` their households (the world of the tests makes its own).

    Returns the number of accounts.
    """
    members: list[Values] = []
    posts: list[Values] = []
    accounts: list[Values] = []
    grants: list[Values] = []
    leading: list[Values] = []
    lived = Homes()
    opened = {unit.id: unit.opened_on for unit in units}
    for unit in units:
        people = [_member_row(person, unit) for person in planned.people(unit)]
        # Somebody of about 45 leads the branch; the next one is the member who may sign in.
        by_age = sorted(people, key=lambda row: abs(int(row["birth_year"]) - 1979))
        held = _post_rows(unit, by_age, leading)
        # Who signs in for a commune is its chair; above the communes nobody is a member.
        holders = by_age or leading[:1]
        for account, holder in zip(unit.accounts, chain(holders, repeat(None)), strict=False):
            name = holder["full_name"] if holder else planned.officer(account.username)
            row = _account_row(account, unit, name) | {
                "member_id": holder and holder["id"],
                "password_hash": password_hash,
            }
            accounts.append(row)
            post = next((post for post in held if post["member_id"] == row["member_id"]), None)
            grants.append(_grant_row(row["id"], unit, account.role, post))
        leading += _candidates(by_age)
        if homes and people:
            area = unit.parent.area_type if unit.parent else None
            rng = Random(f"{planned.seed} homes {unit.slug}")  # a demo, not a secret
            households.add_homes(lived, people, area, rng, now)
        members += people
        posts += held
    _insert(session, Member, members, now)
    identifiers.remember(session, members)
    names.remember(session, members)
    _insert(session, Membership, [_membership_row(row, opened) for row in members], now)
    _insert(session, Account, accounts, now)
    _insert(session, Appointment, posts, now)
    _insert(session, Grant, grants, now)
    write_homes(session, lived, now)
    return len(accounts)


def write_homes(session: Session, homes: Homes, now: datetime) -> None:
    """Households with all that belongs to them, and the account of poverty that follows."""
    session.info["household_paths"] = {row["id"]: row for row in homes.households}
    _insert(session, Household, homes.households, now)
    _insert(session, HouseholdPlace, homes.places, now)
    _insert(session, HouseholdPerson, homes.people, now)
    _insert(session, HouseholdEvent, homes.events, now)
    _insert(session, Assessment, homes.assessments, now)
    _insert(session, PovertyStatus, homes.statuses, now)
    _insert(session, Support, homes.support, now)
    _insert(session, EscapePath, homes.paths, now)
    _insert(session, EscapeStep, homes.steps, now)
    _insert(session, EscapeCheck, homes.checks, now)
    del session.info["household_paths"]
    poverty_account.restate(session, {row["household_id"] for row in homes.statuses})


def _insert(session: Session, model: type[SQLModel], rows: list[Values], now: datetime) -> None:
    tracked = issubclass(model, Revised)
    if tracked:
        rows = [row | {"revision": 1, "created_at": now, "updated_at": now} for row in rows]
    for chunk in chunks(rows):
        session.connection().execute(sa.insert(model), chunk)
        if tracked:
            changes.record_created(session, model, chunk)


# -- rows


def _unit_row(unit: PlannedUnit) -> Values:
    return {
        "id": unit.id,
        "level": unit.level,
        "name": unit.name,
        "name_key": name_key(unit.name),
        "sort_key": unit_sort_key(unit.name),
        "code": unit.code,
        "area_type": unit.area_type,
        "parent_id": unit.parent and unit.parent.id,
        **unit.path_ids,
        "opened_on": unit.opened_on,
        "closed_on": None,
        "phone": None,
        "email": None,
        "address": None,
    }


def _edge_rows(unit: PlannedUnit) -> Iterator[Values]:
    if unit.parent:
        yield {
            "unit_id": unit.id,
            "parent_id": unit.parent.id,
            "valid_from": max(unit.opened_on, unit.parent.opened_on),
            "valid_to": None,
        }


def _closure_rows(unit: PlannedUnit) -> Iterator[Values]:
    since = unit.opened_on
    for depth, ancestor in enumerate(unit.path):
        since = max(since, ancestor.opened_on)
        yield {
            "ancestor_id": ancestor.id,
            "descendant_id": unit.id,
            "depth": depth,
            "valid_from": since,
            "valid_to": None,
        }


def _identifier_rows(unit: PlannedUnit) -> Iterator[Values]:
    values = {IdentifierScheme.name: unit.name, IdentifierScheme.gso: unit.code}
    for scheme, value in values.items():
        if value:
            yield {
                "unit_id": unit.id,
                "scheme": scheme,
                "value": value,
                "value_key": name_key(value),
                "valid_from": unit.opened_on,
                "valid_to": None,
            }


def _member_row(person: DemoPerson, branch: PlannedUnit) -> Values:
    path = branch.path_ids
    return {
        "id": new_id(),
        "province_id": path["province_id"],
        "commune_id": path["commune_id"],
        "branch_id": branch.id,
        **person._asdict(),
        "id_card": None,
        "given_name": None,
        "hometown": None,
        "household_id": None,
        "photo": None,
        "sort_key": sort_key(person.full_name),
        "search_key": search_key(person.full_name),
        "status": MemberStatus.active,
    }


def _since(member: Values, first: date) -> date:
    joined = member["joined_on"]
    return first if joined is None else max(earliest(joined), first)


def _membership_row(member: Values, opened: Mapping[int, date]) -> Values:
    since = opened[member["branch_id"]]
    return {
        "id": new_id(),
        "member_id": member["id"],
        "branch_id": member["branch_id"],
        "province_id": member["province_id"],
        "valid_from": _since(member, since),
        "valid_to": None,
        "joined_by": Joined.admission,
    }


def _candidates(by_age: Sequence[Values]) -> list[Values]:
    """Whom a branch sends to lead the commune: a woman next in age to its head and the member."""
    women = (Gender.female, MemberKind.regular)
    return [row for row in by_age[2:] if (row["gender"], row["kind"]) == women][:1]


def _post_rows(
    unit: PlannedUnit, by_age: Sequence[Values], leading: Sequence[Values]
) -> list[Values]:
    """The head of a branch; the chair and vice chair of a commune, from its first two branches."""
    if unit.level is UnitLevel.branch:
        return [_post_row(unit, by_age[0], Post.branch_head, Payment.allowance)]
    if unit.level is not UnitLevel.commune:
        return []
    chair = _post_row(unit, leading[0], Post.chair, Payment.salaried)
    if unit.slug in NO_VICE_CHAIR:
        return [chair]
    return [chair, _post_row(unit, leading[1], Post.vice_chair, Payment.part_time)]


def _post_row(unit: PlannedUnit, holder: Values, post: Post, payment: Payment) -> Values:
    """Of the congress's term, but open: they stay until the next congress has elected others."""
    of_congress = unit.level is UnitLevel.commune
    return {
        "id": new_id(),
        "member_id": holder["id"],
        "unit_id": unit.id,
        "province_id": unit.path_ids["province_id"],
        "post": post,
        "title": None,
        "basis": AppointmentBasis.elected,
        "acting": False,
        "payment": payment,
        "decision_number": None,
        "decided_on": None,
        "congress_number": TERM.congress_number if of_congress else None,
        "term_from": TERM.starts_on if of_congress else None,
        "term_to": TERM.ends_on if of_congress else None,
        "valid_from": _since(holder, GRANTED_ON),
        "valid_to": None,
        "reason": None,
        "ended_note": None,
    }


def _account_row(account: DemoAccount, unit: PlannedUnit, display_name: str) -> Values:
    return {
        "id": new_id(),
        "kind": AccountKind.person,
        "username": account.username,
        "display_name": display_name,
        "status": AccountStatus.active,
        "unit_id": unit.id,
        "member_id": None,
        "password_hash": None,
        "secret_digest": None,
        "code_digest": None,
        "code_expires_at": None,
    }


def _grant_row(account_id: UUID, unit: PlannedUnit, role: Role, post: Values | None) -> Values:
    return {
        "id": new_id(),
        "account_id": account_id,
        "unit_id": unit.id,
        "role": role,
        "valid_from": post["valid_from"] if post else GRANTED_ON,
        "valid_to": None,
        "granted_by": None,
        "appointment_id": post and post["id"],
    }
