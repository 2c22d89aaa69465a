"""Loading the demo that `demo_plan` has planned into an empty database."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import chain, groupby, repeat
from operator import attrgetter
from random import Random
from typing import Final
from uuid import UUID

from sqlmodel import Session, select

from app.clock import local_today, utc_now
from app.models.base import new_id
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
    Unit,
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
    DemoUnit,
    Scale,
    plan,
)
from app.services.demo.rows import write_rows, write_units
from app.services.kernel import changes
from app.services.members import identifiers, names
from app.services.poverty import account as poverty_account
from app.services.poverty import editions
from app.text import search_key, sort_key

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
    seed: int = DEFAULT_SEED,
) -> Demo:
    """Fill an empty database, in one transaction: small, or a district (`filling` loads more).

    `progress` gets the commune at work and how many members of how many are done.
    """
    planned = plan(scale, seed)
    done, total = 0, planned.members
    progress(planned.at(UnitLevel.province)[0].name, done, total)
    accounts = write_above(session, planned, password_hash)
    for commune, branches in in_communes(planned):
        homes = scale is not Scale.small
        accounts += write_commune(session, planned, commune, branches, password_hash, homes=homes)
        done += sum(unit.members for unit in branches)
        progress(commune.name, done, total)
    if scale is not Scale.small:
        write_editions(session, planned)
    return Demo(
        units=len(planned.units),
        branches=len(planned.at(UnitLevel.branch)),
        members=done,
        accounts_total=accounts,
    )


def in_communes(planned: DemoPlan) -> Iterator[tuple[DemoUnit, list[DemoUnit]]]:
    """Each commune with its branches."""
    for commune, branches in groupby(planned.at(UnitLevel.branch), attrgetter("parent")):
        yield commune, list(branches)


def write_above(session: Session, planned: DemoPlan, password_hash: str) -> int:
    """All units, and the accounts above the communes; returns how many."""
    changes.attribute(session, changes.Origin(ChangeSource.demo))
    now = utc_now()
    write_units(session, planned, now)
    below = (UnitLevel.commune, UnitLevel.branch)
    above = [unit for unit in planned.units if unit.level not in below]
    return _write_people(session, planned, above, password_hash, now)


def write_commune(
    session: Session,
    planned: DemoPlan,
    commune: DemoUnit,
    branches: Sequence[DemoUnit],
    password_hash: str,
    *,
    homes: bool = True,
    known_names: set[str] | None = None,
) -> int:
    """Everybody of a commune; returns the number of accounts. `known_names` are in the dictionary
    already; those of the commune are added to them."""
    changes.attribute(session, changes.Origin(ChangeSource.demo))
    people = [*branches, commune]
    return _write_people(
        session, planned, people, password_hash, utc_now(), homes=homes, known_names=known_names
    )


def write_editions(session: Session, planned: DemoPlan) -> None:
    """The published figures of poverty of each province."""
    changes.attribute(session, changes.Origin(ChangeSource.demo))
    for province in planned.at(UnitLevel.province):
        editions.write(session, province.id, 1, local_today().year - 1)


def _write_people(
    session: Session,
    planned: DemoPlan,
    units: Sequence[DemoUnit],
    password_hash: str,
    now: datetime,
    *,
    homes: bool = False,
    known_names: set[str] | None = None,
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
    write_rows(session, Member, members, now)
    identifiers.remember(session, members)
    write_rows(session, Membership, [_membership_row(row, opened) for row in members], now)
    write_rows(session, Account, accounts, now)
    write_rows(session, Appointment, posts, now)
    write_rows(session, Grant, grants, now)
    write_homes(session, lived, now)
    # Last: another process may be entering the same names, and is waited for.
    known = set() if known_names is None else known_names
    names.remember(session, [row for row in members if row["sort_key"] not in known])
    known |= {row["sort_key"] for row in members}
    return len(accounts)


def write_homes(session: Session, homes: Homes, now: datetime) -> None:
    """Households with all that belongs to them, and the account of poverty that follows."""
    session.info["household_paths"] = {row["id"]: row for row in homes.households}
    write_rows(session, Household, homes.households, now)
    write_rows(session, HouseholdPlace, homes.places, now)
    write_rows(session, HouseholdPerson, homes.people, now)
    write_rows(session, HouseholdEvent, homes.events, now)
    write_rows(session, Assessment, homes.assessments, now)
    write_rows(session, PovertyStatus, homes.statuses, now)
    write_rows(session, Support, homes.support, now)
    write_rows(session, EscapePath, homes.paths, now)
    write_rows(session, EscapeStep, homes.steps, now)
    write_rows(session, EscapeCheck, homes.checks, now)
    del session.info["household_paths"]
    poverty_account.restate(session, {row["household_id"] for row in homes.statuses})


# -- rows


def _member_row(person: DemoPerson, branch: DemoUnit) -> Values:
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


def _post_rows(unit: DemoUnit, by_age: Sequence[Values], leading: Sequence[Values]) -> list[Values]:
    """The head of a branch; the chair and vice chair of a commune, from its first two branches."""
    if unit.level is UnitLevel.branch:
        return [_post_row(unit, by_age[0], Post.branch_head, Payment.allowance)]
    if unit.level is not UnitLevel.commune:
        return []
    chair = _post_row(unit, leading[0], Post.chair, Payment.salaried)
    if unit.slug in NO_VICE_CHAIR:
        return [chair]
    return [chair, _post_row(unit, leading[1], Post.vice_chair, Payment.part_time)]


def _post_row(unit: DemoUnit, holder: Values, post: Post, payment: Payment) -> Values:
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


def _account_row(account: DemoAccount, unit: DemoUnit, display_name: str) -> Values:
    return {
        "id": new_id(),
        "kind": AccountKind.person,
        "username": account.username,
        "display_name": display_name,
        "status": AccountStatus.active,
        "unit_id": unit.id,
        "member_id": None,
        "password_hash": None,
        "code_digest": None,
        "code_expires_at": None,
    }


def _grant_row(account_id: UUID, unit: DemoUnit, role: Role, post: Values | None) -> Values:
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
