"""Others write while a branch is merged or split: each act ends in the old units or in the new ones."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.clock import utc_now
from app.db import Database
from app.errors import Problem
from app.models.attendance.attendance import Attendance
from app.models.base import new_id
from app.models.cadres.appointments import Appointment
from app.models.events.events import EventSession
from app.models.households.households import Household, HouseholdPlace
from app.models.imports.imports import RowOutcome
from app.models.kernel.units import Unit
from app.models.members.members import Member
from app.models.members.spells import Membership
from app.models.memberships.transfers import UNDER_WAY, Transfer
from app.services.figures import folding, recounting
from app.services.households import households
from app.services.imports.writing import write_each
from app.services.kernel import jobs
from app.services.kernel.list_kinds import RowsDue
from app.services.units import rows
from app.services.units.carrying import hold_for_change
from tests.helpers.answers import Json, UnitIds, refused
from tests.helpers.cadres import appoint, done, free_members, made
from tests.helpers.captures import hold, send, tapped
from tests.helpers.client import Api, writing
from tests.helpers.homes import attributed, home
from tests.helpers.meetings import meeting, sitting
from tests.helpers.races import at_commit, begun
from tests.helpers.tables import changed, everything
from tests.imports.test_imports import HEADER, Work, previewed, xlsx
from tests.reorganisations.branches import OWN
from tests.reorganisations.test_split_branches import Split
from tests.reorganisations.waiting import impatient
from tests.units.units import ago

Act = Callable[[], Any]


class Crowded(Split):
    """The branch that is reorganised, its officers, and what they are about to write."""

    def __init__(self, api: Api, database: Database, unit_id: UnitIds, work: Work) -> None:
        super().__init__(api, database, unit_id)
        self.work = work
        self.officer = api.as_("phuongvi")
        self.far = unit_id["tienluong-1"]
        self.people = [str(each.id) for each in free_members(database, self.gone)]

    def reorganised(self, kind: str) -> Act:
        draft = self.merge() if kind == "merge" else self.split(default_id="a", sessions_to_id="a")
        path = f"/v1/reorganisations/{draft['id']}/apply"
        digest = {"digest": self.preview(draft)["digest"]}
        return lambda: self.decider.post(path, json=digest)

    def sum_of_branches(self) -> int:
        found = done(self.drafter.get(f"/v1/units/{self.commune}/children?limit=200"))["items"]
        return sum(each["member_count"] for each in found)

    def counted(self, hierarchy: str) -> int:
        asked = {"unit": self.commune, "as_of": ago(1), "hierarchy": hierarchy}
        found: int = done(self.drafter.get("/v1/members/count", params=asked))["people"]
        return found

    # -- what is written meanwhile

    def admits(self) -> Act:
        body: Json = {"full_name": "Hà Thị Mới", "gender": "female", "birth_date": "1990"}
        body |= {"branch_id": self.gone, "joined_on": ago(9)}
        return lambda: self.officer.post("/v1/members", json=body)

    def departs(self) -> Act:
        body = {"reason": "moved_away", "effective_on": ago(0)}
        path = f"/v1/members/{self.people[0]}/departures"
        return lambda: self.officer.post(path, json=body)

    def sends(self) -> Act:
        body = {"to_branch_id": self.far, "reason": "Chuyển nhà"}
        path = f"/v1/members/{self.people[4]}/transfers"
        return lambda: self.drafter.post(path, json=body)

    def accepts(self) -> Act:
        asked = self.transfer("phuongvi-1", free_members(self.database, self.gone)[5].id, self.far)
        path = f"/v1/transfers/{asked['id']}/accept"
        officer = self.api.as_("tienluong-1")
        return lambda: officer.post(path)

    def comes(self) -> Act:
        """From elsewhere to the branch."""
        asked = self.transfer("tienluong-1", free_members(self.database, self.far)[0].id, self.gone)
        return lambda: self.officer.post(f"/v1/transfers/{asked['id']}/accept")

    def merges(self) -> Act:
        """One person on record in both branches."""
        other = free_members(self.database, self.heir)[0].id
        body = {"other_id": str(other), "reason": "Cùng một người", "memberships": "kept"}
        path = f"/v1/members/{self.people[6]}/merges"
        return lambda: self.drafter.post(path, json=body)

    def moves_home(self) -> Act:
        moved = home(self.database, self.gone)
        body = {"branch_id": self.far, "effective_on": ago(0)}
        return lambda: self.drafter.post(f"/v1/households/{moved}/move", json=body)

    def meets(self) -> Act:
        body = meeting(sessions=[sitting(0)], host_unit_ids=[self.gone])
        return lambda: self.officer.post("/v1/events", json=body)

    def attends(self) -> Act:
        met = hold(self.database, [self.gone])
        body = {"items": [tapped(each) for each in self.people[:4]]}
        return lambda: self.drafter.post(f"/v1/sessions/{met}/captures", json=body)

    def appoints(self) -> Act:
        member = self.people[7]
        return lambda: appoint(
            self.officer, member, self.gone, post="branch_deputy", valid_from=ago(30)
        )

    def imports(self, *, atomic: bool = False) -> Act:
        row = ["Khổng Thị Mới", "01/01/1980", "Chi hội khu 1", "0987000111", ""]
        item = previewed(self.officer, self.work, self.commune, xlsx(HEADER, [row]))
        url = f"/v1/imports/{item['id']}"
        assert self.officer.post(f"{url}/apply", json={"atomic": atomic}).status_code == 202

        def applied() -> Any:
            self.work()
            return self.officer.get(url)

        return applied

    def erases(self) -> Act:
        path = f"/v1/members/{self.people[8]}"
        left = {"reason": "moved_away", "effective_on": ago(1)}
        made(self.officer.post(f"{path}/departures", json=left))
        asked = {"kind": "erase", "channel": "in_person"}
        request = made(self.officer.post(f"{path}/privacy-requests", json=asked))
        done(self.officer.post(f"/v1/privacy/requests/{request['id']}/acknowledge"))
        tried = done(self.decider.post(f"{path}/erasure", json={"dry_run": True}))
        body = {"dry_run": False, "request_id": request["id"], "digest": tried["digest"]}
        return lambda: self.decider.post(f"{path}/erasure", json=body)


WRITES = (
    *("admits", "departs", "sends", "accepts", "comes", "merges", "imports", "erases"),
    *("moves_home", "meets", "attends", "appoints"),
)
# The people of a branch that is split go to two.
SPLIT = ("sends", "erases", "attends")
CASES = [*((write, "merge") for write in WRITES), *((write, "split") for write in SPLIT)]
# By how many the writes change the number of people of the day before.
YESTERDAY = {"admits": 1, "merges": -1}


@pytest.fixture
def world(api: Api, database: Database, unit_id: UnitIds, work: Work) -> Crowded:
    return Crowded(api, database, unit_id, work)


def in_units_that_were_closed(database: Database) -> dict[str, int]:
    """Rows of a day on which their unit was closed already, by table."""
    found = {}
    lasts: list[tuple[Any, Any, Any]] = [
        (Membership.branch_id, Membership.valid_to, col(Membership.annulled_at).is_(None)),
        (HouseholdPlace.branch_id, HouseholdPlace.valid_to, sa.true()),
        (Appointment.unit_id, Appointment.valid_to, sa.true()),
        (Attendance.branch_id, Attendance.local_date, sa.true()),
        (EventSession.host_id, EventSession.local_date, sa.true()),
        (Household.branch_id, Household.closed_on, sa.true()),
        (Transfer.from_branch_id, sa.null(), col(Transfer.state).in_(UNDER_WAY)),
        (Transfer.to_branch_id, sa.null(), col(Transfer.state).in_(UNDER_WAY)),
    ]
    with database.reading() as db:
        for unit, last, which in lasts:
            late = sa.or_(last.is_(None), last > col(Unit.closed_on))
            rows_ = (
                sa.select(sa.func.count())
                .select_from(unit.class_)
                .join(Unit, col(Unit.id) == unit)
                .where(col(Unit.closed_on).is_not(None), late, which)
            )
            if number := db.execute(rows_).scalar_one():
                found[f"{unit.class_.__tablename__}.{unit.key}"] = number
    return found


def standing_elsewhere(database: Database) -> int:
    """People of the union whose record names another branch, or another path, than their spell."""
    spell = sa.and_(
        col(Membership.member_id) == col(Member.id),
        col(Membership.valid_to).is_(None),
        col(Membership.annulled_at).is_(None),
    )
    differs = sa.or_(
        col(Member.branch_id) != col(Membership.branch_id),
        col(Member.commune_id) != col(Unit.commune_id),
        col(Member.province_id) != col(Unit.province_id),
    )
    with database.reading() as db:
        found = (
            sa.select(sa.func.count())
            .select_from(Member)
            .join(Membership, spell)
            .join(Unit, col(Unit.id) == col(Membership.branch_id))
            .where(differs)
        )
        return int(db.execute(found).scalar_one())


def ended_well(*answers: Any) -> None:
    for answer in answers:
        if answer.is_success:
            continue
        assert answer.status_code == 409, answer.text
        if answer.json()["code"] == "unit_being_reorganised":
            assert answer.headers["Retry-After"] == "5"


@pytest.mark.race
@pytest.mark.parametrize("first", ["writes", "reorganises"])
@pytest.mark.parametrize(("write", "kind"), CASES)
def test_each_ends_in_the_old_units_or_the_new_ones(
    world: Crowded, database: Database, write: str, kind: str, first: str
) -> None:
    if database.on_sqlite and kind == "split":
        pytest.skip("writers go one by one: the merger shows it")
    written, reorganised = getattr(world, write)(), world.reorganised(kind)
    was = world.count(world.commune, ago(1))
    pair = (written, reorganised) if first == "writes" else (reorganised, written)
    answer, other = at_commit(database, *pair)
    assert answer.is_success, answer.text
    ended_well(other)
    assert in_units_that_were_closed(database) == {}
    assert standing_elsewhere(database) == 0
    wrote = (answer if first == "writes" else other).is_success
    assert world.count(world.commune, ago(1)) == was + (YESTERDAY.get(write, 0) if wrote else 0)
    assert world.counted("as_was") == world.counted("as_is")
    assert world.count(world.commune) == world.sum_of_branches()


@pytest.mark.race
@pytest.mark.parametrize("write", ["admits", "accepts", "attends"])
def test_who_would_wait_too_long_is_told(
    world: Crowded, database: Database, write: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database.on_sqlite:
        pytest.skip("writers go one by one")
    monkeypatch.setattr(rows, "_LONGEST_ASKING", 0)
    written = getattr(world, write)()
    with impatient(database), writing(database) as session:
        hold_for_change(session, [world.gone])
        answer = written()
        refused(answer, 409, "unit_being_reorganised")
        assert answer.headers["Retry-After"] == "5"
    assert written().is_success


@pytest.mark.race
@pytest.mark.parametrize("write", ["attends", "moves_home"])
def test_who_holds_other_rows_asks_until_it_is_over(
    world: Crowded, database: Database, write: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database.on_sqlite:
        pytest.skip("writers go one by one")
    written, asked = getattr(world, write)(), []
    with writing(database) as session:
        hold_for_change(session, [world.gone])

        def pause(seconds: float) -> None:
            asked.append(seconds)
            if len(asked) == 2:
                session.rollback()

        monkeypatch.setattr(rows, "sleep", pause)
        assert written().is_success
    assert len(asked) == 2


class TestLocksInOneOrder:
    """A writer who holds a person or a household changes what is recorded of it: a reorganisation that
    waits for the one must not hold the other, or each would wait for the other."""

    @pytest.fixture
    def merger(self, world: Crowded, database: Database) -> Act:
        if database.on_sqlite:
            pytest.skip("writers go one by one")
        return world.reorganised("merge")

    def test_of_a_person(self, world: Crowded, database: Database, merger: Act) -> None:
        member_id = UUID(world.people[0])
        with writing(database) as session:
            attributed(session).get_one(Member, member_id, with_for_update={"key_share": True})
            merged = begun(database, merger)
            self.locked_at_once(session, Membership, col(Membership.member_id) == member_id)
        done(merged.result(20))

    def test_of_a_household(self, world: Crowded, database: Database, merger: Act) -> None:
        with writing(database) as session:
            households.hold(attributed(session), world.poor)
            merged = begun(database, merger)
            of_it = col(HouseholdPlace.household_id) == world.poor
            self.locked_at_once(session, HouseholdPlace, of_it)
        done(merged.result(20))

    def locked_at_once(self, session: Session, model: Any, which: Any) -> None:
        assert session.exec(select(model).where(which).with_for_update(nowait=True)).all()


@pytest.mark.parametrize("atomic", [False, True])
def test_a_job_waits_for_units_that_are_reorganised(
    world: Crowded, database: Database, atomic: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database.on_sqlite:
        pytest.skip("writers go one by one")
    applied, pauses = world.imports(atomic=atomic), []
    with impatient(database), writing(database) as session:
        hold_for_change(session, [world.gone])

        def pause(*_: Any) -> None:
            pauses.append(1)
            session.rollback()

        monkeypatch.setattr(jobs, "_pause", pause)
        found = done(applied())
    assert len(pauses) == 1
    assert (found["state"], found["summary"]["created"]) == ("applied", 1)


def test_no_row_of_a_list_is_refused_for_it(database: Database) -> None:
    def write(_: RowsDue) -> None:
        raise rows.being_reorganised()

    row = RowsDue(
        number=1,
        outcome=RowOutcome.created,
        unit_id=None,
        entity_id=new_id(),
        entity_revision=None,
        writes={},
        ref="import",
    )
    with writing(database) as session, pytest.raises(Problem, match="unit_being_reorganised"):
        write_each(attributed(session), [row], write, "branch", {})


def test_who_met_that_day_stands_where_she_stood_that_day(
    world: Crowded, database: Database
) -> None:
    """Facts of the days from which a branch has gone on in another are of that one, and go back."""
    held = [hold(database, [world.gone], starts_at=utc_now() - timedelta(days=d)) for d in (0, 5)]
    for met in held:
        send(world.drafter, met, [tapped(each) for each in world.people[:4]])
    folded = {"figure_day", "figure_fold", "figure_shared"}
    folding.fold(database)
    before = everything(database, *OWN, *folded)
    world.apply(draft := world.merge())
    assert stood(database, held) == {(held[0], world.heir): 4, (held[1], world.gone): 4}
    folding.fold(database)
    assert recounting.check(database, repair=False) == []
    done(world.revert(draft))
    assert changed(before, everything(database, *OWN, *folded)) == {}
    assert stood(database, held) == {(each, world.gone): 4 for each in held}


def stood(database: Database, held: list[UUID]) -> dict[tuple[UUID, int | None], int]:
    by = (col(Attendance.session_id), col(Attendance.branch_id))
    with database.reading() as db:
        found = db.execute(sa.select(*by, sa.func.count()).where(by[0].in_(held)).group_by(*by))
        return {(session_id, branch_id): number for session_id, branch_id, number in found}
