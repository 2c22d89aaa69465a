"""Every figure against a naive recount, after random facts of random days.

The recount reads whole tables and counts row by row in Python, with a tree walked from parent to
parent: it shares nothing with the statements but the words of the rules.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import VIETNAM, local_today
from app.db import Database
from app.models.attendance.attendance import Attendance, AttendanceMode
from app.models.base import new_id
from app.models.cadres.appointments import POSTS, Appointment, AppointmentBasis, Post
from app.models.events.events import EventSession, EventUnit
from app.models.figures.women import WomenCount
from app.models.households.households import HouseholdPlace
from app.models.kernel.units import Unit, UnitClosure, UnitLevel
from app.models.members.members import Gender, Member, MemberKind, PartyStatus, Religion
from app.models.members.spells import Joined, Left, Membership
from app.models.poverty.flows import FlowKind, FlowTable, PovertyStay
from app.models.support.loans import LoanFigure
from app.models.support.support import LoanScheme, Support, SupportKind, SupportState
from app.models.support.visits import HouseholdVisit
from tests.figures.test_figures import asked
from tests.helpers.answers import UnitIds
from tests.helpers.captures import hold
from tests.helpers.client import Api, utc_now, writing
from tests.helpers.homes import attributed, home
from tests.helpers.soak import seeds

DAY = timedelta(days=1)
UNITS = ("phutho", "camkhe", "phuongvi", "tienluong", "phuongvi-1", "tienluong-2")


# She goes on in another branch, without a day between.
GOES_ON = {Left.transfer: Joined.transfer, Left.reorganisation: Joined.reorganisation}


class Facts:
    """Random rows of all kinds, in all branches, on days of four months."""

    def __init__(self, database: Database, seed: int) -> None:
        self.database, self.rng = database, Random(seed)
        self.last = local_today()
        self.first = self.last - timedelta(days=120)
        with writing(database) as session:
            units = select(Unit.id).where(col(Unit.level) == UnitLevel.branch)
            self.branches = list(session.exec(units.order_by(col(Unit.id))))
            self.members = list(session.exec(select(Member.id).order_by(col(Member.id))))
            self.everywhere = list(session.exec(select(Unit.id).order_by(col(Unit.id))))

    def day(self, after: int = 0) -> date:
        return self.first + timedelta(days=self.rng.randint(after, 120))

    def some(self, number: int) -> list[Any]:
        return self.rng.sample(self.members, number)

    def all(self) -> None:
        sessions = [
            hold(
                self.database,
                [self.rng.choice(self.everywhere[2:])],
                starts_at=datetime.combine(self.day(), time(9), VIETNAM),
                state=self.rng.choice(["held", "closed", "cancelled", "planned"]),
            )
            for _ in range(12)
        ]
        homes = [home(self.database, self.rng.choice(self.branches)) for _ in range(15)]
        with writing(self.database) as session:
            attributed(session)
            self.records(session)
            self.spells(session)
            self.attendance(session, sessions)
            self.stays(session, homes)
            self.support(session, homes)
            self.loans(session)
            self.posts(session)
            self.women(session)

    def records(self, session: Session) -> None:
        for member_id in self.some(80):
            member = session.get_one(Member, member_id)
            member.core = self.rng.random() < 0.5
            member.gender = self.rng.choice([*Gender])
            member.kind = self.rng.choice([*MemberKind])
            member.ethnicity = self.rng.choice([None, "01", "02", "03"])
            member.religion = self.rng.choice([None, *Religion])
            member.party = self.rng.choice([None, *PartyStatus])

    def spells(self, session: Session) -> None:
        """Transfers, departures and comebacks; entries without a day; some taken back."""
        for member_id in self.some(120):
            of_hers = select(Membership).where(col(Membership.member_id) == member_id)
            spell = session.exec(of_hers.where(col(Membership.valid_to).is_(None))).one()
            if self.rng.random() < 0.3:
                spell.counted_from = self.day()
            days = sorted({self.day() for _ in range(self.rng.randint(1, 3))})
            for day in days:
                spell = self.next_spell(session, spell, day)
            if self.rng.random() < 0.15:
                spell.annulled_at = utc_now()

    def next_spell(self, session: Session, spell: Membership, day: date) -> Membership:
        to = self.rng.choice(self.branches)
        how = self.rng.choice([*Left])
        spell.valid_to, spell.left_by = day - DAY, how
        joined = GOES_ON.get(how, Joined.readmission)
        spell.to_branch_id = to if how in GOES_ON else None
        session.flush()
        return_on = day if how in GOES_ON else day + DAY * self.rng.randint(0, 5)
        later = Membership(
            member_id=spell.member_id,
            branch_id=to,
            province_id=spell.province_id,
            valid_from=return_on,
            joined_by=joined,
            from_branch_id=spell.branch_id if how in GOES_ON else None,
            counted_from=spell.counted_from,
            created_at=utc_now(),
            updated_at=utc_now(),
        )
        session.add(later)
        session.flush()
        return later

    def attendance(self, session: Session, sessions: list[Any]) -> None:
        rows = [
            {
                "session_id": session_id,
                "member_id": member_id,
                "local_date": session.get_one(EventSession, session_id).local_date,
                "province_id": 1,
                "branch_id": self.rng.choice([*self.branches, None]),
                "on_roster": True,
                "mode": AttendanceMode.in_person,
                "attended_at": utc_now(),
                "capture_id": new_id(),
                "id": new_id(),
            }
            for session_id in sessions
            for member_id in self.some(self.rng.randint(0, 40))
        ]
        session.connection().execute(sa.insert(Attendance), rows)

    def stays(self, session: Session, homes: list[Any]) -> None:
        for household_id in homes:
            starts = sorted({self.day(-240) for _ in range(self.rng.randint(0, 4))})
            if self.rng.random() < 0.5:
                session.add(
                    HouseholdVisit(
                        household_id=household_id,
                        province_id=1,
                        visited_on=self.day(-240),
                        visitors=[],
                        needs=[],
                        created_at=utc_now(),
                        updated_at=utc_now(),
                    )
                )
            for since, until in pairwise([*starts, None]):
                if since is None:
                    continue
                ends = None if until is None else until - DAY * self.rng.randint(1, 3)
                session.add(
                    PovertyStay(
                        household_id=household_id,
                        poverty_class=self.rng.choice([*FlowTable]),
                        valid_from=since,
                        valid_to=ends,
                        entered=self.rng.choice([FlowKind.new, FlowKind.relapsed]),
                        left_by=None if ends is None else FlowKind.escaped,
                        people=self.rng.randint(1, 7),
                        branch_id=self.rng.choice(self.branches),
                        province_id=1,
                        minority=False,
                        female_head=False,
                        causes=[],
                    )
                )

    def support(self, session: Session, homes: list[Any]) -> None:
        for _ in range(30):
            session.add(
                Support(
                    household_id=self.rng.choice(homes),
                    province_id=1,
                    branch_id=self.rng.choice(self.branches),
                    kind=SupportKind.gift,
                    given_on=self.day(),
                    value_vnd=self.rng.choice([None, 250_000, 1_000_000]),
                    state=self.rng.choice([*SupportState]),
                    created_at=utc_now(),
                    updated_at=utc_now(),
                )
            )

    def loans(self, session: Session) -> None:
        made: set[Any] = set()
        for _ in range(40):
            key = (
                self.rng.choice(self.everywhere[2:]),
                self.rng.choice([LoanScheme.vbsp, LoanScheme.tym]),
                self.rng.choice(["", "Tổ 1", "Tổ 2"]),
                self.day(),
            )
            if key in made:
                continue
            made.add(key)
            unit_id, scheme, group_name, as_of = key
            session.add(
                LoanFigure(
                    unit_id=unit_id,
                    province_id=1,
                    scheme=scheme,
                    group_name=group_name,
                    as_of=as_of,
                    source="NHCSXH",
                    groups=self.rng.randint(1, 5),
                    borrowers=self.rng.randint(1, 90),
                    outstanding_vnd=self.rng.randint(1, 900) * 1_000_000,
                    overdue_vnd=0,
                    savings_vnd=0,
                    created_at=utc_now(),
                    updated_at=utc_now(),
                )
            )

    def posts(self, session: Session) -> None:
        for member_id in self.some(20):
            since = self.day()
            session.add(
                Appointment(
                    member_id=member_id,
                    unit_id=self.rng.choice(self.branches),
                    province_id=1,
                    post=self.rng.choice([Post.branch_head, Post.branch_deputy]),
                    basis=AppointmentBasis.appointed,
                    valid_from=since,
                    valid_to=self.rng.choice([None, since - DAY, since + 30 * DAY]),
                    created_at=utc_now(),
                    updated_at=utc_now(),
                )
            )

    def women(self, session: Session) -> None:
        """Of nearly all branches, some of them twice."""
        counts = {
            (branch_id, self.day(60 * self.rng.randint(0, 1)))
            for branch_id in [*self.branches[1:], *self.branches]
        }
        for branch_id, as_of in sorted(counts):
            session.add(
                WomenCount(
                    branch_id=branch_id,
                    as_of=as_of,
                    women=self.rng.randint(50, 90),
                    created_at=utc_now(),
                    updated_at=utc_now(),
                )
            )


@dataclass
class Naive:
    """All rows of all tables, counted one by one."""

    session: Session

    def __post_init__(self) -> None:
        def rows(table: Any) -> list[Any]:
            return list(self.session.exec(select(table)))

        self.units = {unit.id: unit for unit in rows(Unit)}
        self.members = {member.id: member for member in rows(Member)}
        self.spells = [each for each in rows(Membership) if each.annulled_at is None]
        self.attendance = [each for each in rows(Attendance) if each.branch_id is not None]
        self.sessions = {each.id: each for each in rows(EventSession)}
        self.places, self.stays = rows(HouseholdPlace), rows(PovertyStay)
        self.support, self.loans = rows(Support), rows(LoanFigure)
        self.posts, self.women = rows(Appointment), rows(WomenCount)
        self.visits = rows(HouseholdVisit)
        self.hosts = [each for each in rows(EventUnit) if each.role == "host"]

    def inside(self, unit_id: int | None, within: int) -> bool:
        while unit_id is not None and unit_id != within:
            unit_id = self.units[unit_id].parent_id
        return unit_id is not None

    def of(self, unit: int, first: date, last: date) -> dict[str, float | None]:
        def here(rows: Iterable[Any], name: str = "branch_id") -> list[Any]:
            return [row for row in rows if self.inside(getattr(row, name), unit)]

        found: dict[str, float | None] = {}
        people = [self.members[each.member_id] for each in here(self.on(last))]
        found |= self.standing(people, last.year)
        found |= self.movement(unit, first, last)
        found |= self.meetings(here, first, last)
        found |= self.poverty(here, first, last)
        found |= self.help(here, first, last)
        found |= self.cadres(here, unit, last)
        found |= self.attraction(here, found, last)
        found |= self.attention(here, last)
        return found

    def on(self, day: date) -> list[Any]:
        return [
            each
            for each in self.spells
            if each.valid_from <= day <= (each.valid_to or day)
            and (each.counted_from is None or each.counted_from <= day)
        ]

    @staticmethod
    def standing(people: list[Any], year: int) -> dict[str, float | None]:
        ages = [year - each.birth_year for each in people]
        return {
            "members.total": len(people),
            "members.women": sum(
                each.gender == "female" and each.kind == "regular" for each in people
            ),
            "members.honorary": sum(each.kind == "honorary" for each in people),
            "members.core": sum(each.core for each in people),
            "members.party": sum(each.party == "member" for each in people),
            "members.minority": sum(each.ethnicity not in (None, "01") for each in people),
            "members.religious": sum(
                each.religion not in (None, "none", "undeclared") for each in people
            ),
            "members.age_under_30": sum(age < 30 for age in ages),
            "members.age_30_39": sum(30 <= age < 40 for age in ages),
            "members.age_40_49": sum(40 <= age < 50 for age in ages),
            "members.age_50_59": sum(50 <= age < 60 for age in ages),
            "members.age_over_59": sum(age > 59 for age in ages),
        }

    def movement(self, unit: int, first: date, last: date) -> dict[str, float | None]:
        counts = dict.fromkeys(
            (
                "admitted",
                "readmitted",
                "in",
                "out",
                "made_in",
                "made_out",
                "left",
                "died",
                "entered",
            ),
            0,
        )
        for each in self.spells:
            if not self.inside(each.branch_id, unit):
                continue
            day = each.counted_from
            entered = day is not None and (
                each.valid_from < day or (each.valid_from == day and each.joined_by == "admission")
            )
            gone = None if each.valid_to is None else each.valid_to + DAY
            never = gone is not None and day is not None and gone < day
            if entered:
                counts["entered"] += first <= day <= last and not never
            elif first <= each.valid_from <= last:
                counts["readmitted"] += each.joined_by == "readmission"
                counts["admitted"] += each.joined_by in ("admission", "readmission")
                across = not self.inside(each.from_branch_id, unit)
                counts["in"] += each.joined_by == "transfer" and across
                counts["made_in"] += each.joined_by == "reorganisation" and across
            if gone is not None and first <= gone <= last and not never:
                across = not self.inside(each.to_branch_id, unit)
                counts["out"] += each.left_by == "transfer" and across
                counts["made_out"] += each.left_by == "reorganisation" and across
                counts["left"] += each.left_by == "departure"
                counts["died"] += each.left_by == "death"
        came = sum(counts[name] for name in ("admitted", "entered", "in", "made_in"))
        went = sum(counts[name] for name in ("out", "made_out", "left", "died"))
        return {
            "movement.admitted": counts["admitted"],
            "movement.readmitted": counts["readmitted"],
            "movement.transferred_in": counts["in"],
            "movement.transferred_out": counts["out"],
            "movement.reorganised_in": counts["made_in"],
            "movement.reorganised_out": counts["made_out"],
            "movement.left": counts["left"],
            "movement.died": counts["died"],
            "movement.entered_undated": counts["entered"],
            "movement.net": came - went,
        }

    def meetings(
        self, here: Callable[..., list[Any]], first: date, last: date
    ) -> dict[str, float | None]:
        came = [each for each in here(self.attendance) if first <= each.local_date <= last]
        held = [
            each
            for each in here(self.sessions.values(), "host_id")
            if each.state in ("held", "closed") and first <= each.local_date <= last
        ]
        hosts = {each.id for each in here(self.sessions.values(), "host_id")}
        return {
            "attendance.people": len({each.member_id for each in came}),
            "attendance.participations": len(came),
            "attendance.hosted": sum(
                each.session_id in hosts and first <= each.local_date <= last
                for each in self.attendance
            ),
            "events.sessions": len(held),
            "events.online_sessions": sum(each.mode != "in_person" for each in held),
        }

    def poverty(
        self, here: Callable[..., list[Any]], first: date, last: date
    ) -> dict[str, float | None]:
        living = {
            each.household_id
            for each in here(self.places)
            if each.valid_from <= last <= (each.valid_to or last)
        }
        found: dict[str, float | None] = {"households.total": len(living)}
        for name in ("poor", "near_poor"):
            stays = [each for each in here(self.stays) if each.poverty_class == name]
            now = [each for each in stays if each.valid_from <= last <= (each.valid_to or last)]
            entered = [each for each in stays if first <= each.valid_from <= last]
            left = [
                each for each in stays if each.valid_to and first <= each.valid_to + DAY <= last
            ]
            homes = len({each.household_id for each in now})
            found |= {
                f"poverty.{name}": homes,
                f"poverty.{name}_people": sum(each.people for each in now),
                f"poverty.{name}_new": self._homes(entered, "entered", "new"),
                f"poverty.{name}_relapsed": self._homes(entered, "entered", "relapsed"),
                f"poverty.{name}_escaped": self._homes(left, "left_by", "escaped"),
                f"poverty.{name}_rate": 100 * homes / len(living) if living else None,
            }
        return found

    @staticmethod
    def _homes(stays: Iterable[Any], name: str, kind: str) -> int:
        return len({each.household_id for each in stays if getattr(each, name) == kind})

    def help(
        self, here: Callable[..., list[Any]], first: date, last: date
    ) -> dict[str, float | None]:
        given = [
            each
            for each in here(self.support)
            if each.state == "approved" and first <= each.given_on <= last
        ]
        vnd = sum(each.value_vnd or 0 for each in given)
        newest: dict[Any, Any] = {}
        for each in sorted(here(self.loans, "unit_id"), key=lambda loan: loan.as_of):
            if each.as_of <= last:
                newest[each.unit_id, each.scheme, each.group_name] = each
        loans = [
            each
            for (unit_id, scheme, group), each in newest.items()
            if group == "" or (unit_id, scheme, "") not in newest
        ]
        owed = sum(each.outstanding_vnd for each in loans) if loans else None
        return {
            "support.households": len({each.household_id for each in given}),
            "support.times": len(given),
            "support.value_vnd": vnd,
            "support.value": vnd / 1_000_000,
            "loans.groups": sum(each.groups for each in loans) if loans else None,
            "loans.borrowers": sum(each.borrowers for each in loans) if loans else None,
            "loans.outstanding_vnd": owed,
            "loans.outstanding": None if owed is None else owed / 1_000_000,
        }

    def attention(self, here: Callable[..., list[Any]], last: date) -> dict[str, float | None]:
        held: dict[int, date] = {}
        for each in self.sessions.values():
            if each.state in ("held", "closed") and each.local_date <= last:
                for host in self.hosts:
                    if host.event_id == each.event_id:
                        held[host.unit_id] = max(held.get(host.unit_id, date.min), each.local_date)
        branches = [
            each
            for each in here(self.units.values(), "id")
            if each.level == "branch" and each.opened_on <= last <= (each.closed_on or last)
        ]
        unvisited = set()
        for stay in here(self.stays):
            if stay.valid_from <= last <= (stay.valid_to or last):
                days = [
                    each.visited_on
                    for each in self.visits
                    if each.household_id == stay.household_id and each.visited_on <= last
                ]
                if (last - max(days, default=stay.valid_from)).days >= 180:
                    unvisited.add(stay.household_id)
        return {
            "events.idle_branches": sum(
                (last - held.get(each.id, each.opened_on)).days >= 60 for each in branches
            ),
            "support.unvisited": len(unvisited),
        }

    def attraction(
        self, here: Callable[..., list[Any]], found: dict[str, float | None], last: date
    ) -> dict[str, float | None]:
        newest = {
            each.branch_id: each.women
            for each in sorted(here(self.women), key=lambda count: count.as_of)
            if each.as_of <= last
        }
        women, members = sum(newest.values()), found["members.women"] or 0
        known = bool(newest) and len(newest) == found["branches.total"]
        return {
            "women.adult": women if newest else None,
            "women.branches": len(newest),
            "women.attraction_rate": round(100 * members / women, 1) if known else None,
        }

    def cadres(
        self, here: Callable[..., list[Any]], unit: int, last: date
    ) -> dict[str, float | None]:
        held = [
            each
            for each in here(self.posts, "unit_id")
            if each.valid_from <= last <= (each.valid_to or last)
        ]
        units = [each for each in self.units.values() if self.inside(each.id, unit)]
        standing = [each for each in units if each.opened_on <= last <= (each.closed_on or last)]
        vacant = sum(
            not any(each.unit_id == one.id and each.post == post for each in held)
            for one in standing
            for post, facts in POSTS.items()
            if facts.expected and one.level in facts.levels
        )
        return {
            "cadres.people": len({each.member_id for each in held}),
            "cadres.posts": len(held),
            "cadres.vacancies": vacant,
            "branches.total": sum(each.level == "branch" for each in standing),
        }


@pytest.mark.drawn
@pytest.mark.parametrize("seed", seeds(1))
def test_every_figure_is_what_a_naive_recount_finds(
    api: Api, database: Database, unit_id: UnitIds, seed: int
) -> None:
    facts = Facts(database, seed)
    facts.all()
    with writing(database) as session:
        # Entered today: the records of today are all that is known of the days before.
        session.execute(sa.update(Member).values(created_at=utc_now()))
        naive = Naive(session)
    officer = api.as_("phutho")
    first_day, last_day = facts.first, facts.last
    middle = last_day - timedelta(days=60)
    rounded: dict[str, float | None] = {}
    for name in UNITS:
        for first, last in (
            (first_day, last_day),
            (first_day, middle),
            (middle + DAY, last_day),
        ):
            expected = naive.of(unit_id[name], first, last)
            codes = ",".join(expected)
            items = asked(officer, unit_id[name], codes, period=f"{first}..{last}")
            got = {each["indicator"]: each["value"] for each in items}
            rounded = {code: value and round(value, 2) for code, value in expected.items()}
            assert got == rounded, (name, first, last)
    everything = officer.get(f"/v1/figures?unit={unit_id['camkhe']}&limit=200").json()
    known = {each["indicator"] for each in everything["items"]}
    assert known == set(rounded), "each figure has its recount"


@pytest.mark.drawn
@pytest.mark.parametrize("seed", seeds(1))
def test_every_figure_is_the_sum_of_its_parts_and_as_many_rows(
    api: Api, database: Database, unit_id: UnitIds, seed: int
) -> None:
    facts = Facts(database, seed)
    facts.all()
    officer = api.as_("phutho")
    for name in ("camkhe", "phuongvi", "phuongvi-1"):
        query = {"unit": unit_id[name], "period": f"{facts.first}..{facts.last}", "limit": 200}
        answer = officer.get("/v1/figures", params=query | {"by": "child", "format": "ndjson"})
        assert answer.status_code == 200, answer.text
        items = [json.loads(line) for line in answer.text.splitlines()]
        for code in {each["indicator"] for each in items}:
            of: dict[str, list[Any]] = {}
            for each in items:
                if each["indicator"] == code:
                    of.setdefault(each["line"], []).append(each["value"] or 0)
            if "own" not in of:
                continue
            (total,), (own,), (overlap,) = of["total"], of["own"], of["overlap"]
            assert total == sum(of.get("child", [])) + own - overlap, (name, code)


def test_the_closure_is_the_tree_of_the_recount(database: Database) -> None:
    with writing(database) as session:
        naive = Naive(session)
        today = select(UnitClosure).where(col(UnitClosure.valid_to).is_(None))
        pairs = {(each.descendant_id, each.ancestor_id) for each in session.exec(today)}
    assert pairs == {
        (one, other) for one in naive.units for other in naive.units if naive.inside(one, other)
    }
