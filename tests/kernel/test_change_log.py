"""The kernel of the change log: gapless and lossless, whoever writes, reads, sequences or dies."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from random import Random
from threading import Barrier, Event
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from app.clock import local_today, utc_now
from app.db import Database
from app.models.base import new_id
from app.models.kernel.access import Grant, Role
from app.models.kernel.accounts import Account
from app.models.kernel.changes import Change, ChangeSource, Feed, FeedHead, Operation, Outbox
from app.models.kernel.units import Unit
from app.models.members.members import Member
from app.services.kernel import changes, sequencer
from tests.conftest import make_settings
from tests.helpers.answers import UnitIds
from tests.helpers.client import Api, writing
from tests.helpers.serving import give
from tests.helpers.soak import longer

WRITERS, TRANSACTIONS, SEQUENCERS = 8, longer(24), 3


class Undone(Exception):
    """Raised in the middle of a transaction that is not to happen."""


@pytest.fixture
def busy(database: Database) -> Iterator[Database]:
    """The same database with a connection for every thread of these tests."""
    made = Database(make_settings(database.settings.database_url, pool_size=16))
    yield made
    made.close()


def head(database: Database) -> int:
    with database.reading() as db:
        return db.execute(sa.select(col(FeedHead.seq))).scalar_one()


def settled(database: Database) -> int:
    sequencer.settle(database)
    return head(database)


def fed(database: Database, since: int) -> list[Feed]:
    with writing(database) as session:
        found = session.exec(select(Feed).where(col(Feed.seq) > since).order_by(col(Feed.seq)))
        return [*found]


def logged(database: Database, row: Feed) -> Change:
    with writing(database) as session:
        return session.get_one(Change, row.change_id)


def attribute(session: Session, ref: str = "test") -> None:
    changes.attribute(session, changes.Origin(ChangeSource.job, source_ref=ref))


def touch(session: Session, unit_id: int, phone: str) -> int:
    """Change a unit as every service does: lock, change, flush. Returns its new revision."""
    unit = session.get_one(Unit, unit_id, with_for_update={"key_share": True})
    unit.phone = phone
    session.flush()
    return unit.revision


@dataclass
class Run:
    """What writers committed and what readers saw, to be compared at the end."""

    database: Database
    targets: list[int]
    since: int
    over: Event = field(default_factory=Event)
    committed: list[tuple[str, int, int]] = field(default_factory=list)  # ref, unit, revision

    def write(self, number: int) -> None:
        """Transactions of one to three changes; one in six rolls back, one in three lingers."""
        rng = Random(number)
        for turn in range(TRANSACTIONS):
            ref = f"{number}-{turn}"
            chosen = sorted(rng.sample(self.targets, rng.randint(1, 3)))
            try:
                with self.database.writing() as session:
                    attribute(session, ref)
                    mine = [(ref, unit, touch(session, unit, ref)) for unit in chosen]
                    if rng.random() < 1 / 3:
                        time.sleep(0.005)
                    if rng.random() < 1 / 6:
                        raise Undone
            except Undone:
                continue
            self.committed += mine

    def sequence(self) -> None:
        while not self.over.wait(0.001):
            sequencer.settle(self.database)

    def read(self, *, settles: bool) -> list[list[int]]:
        """Poll as a client does, with the last number seen, until nothing more can come."""
        polls: list[list[int]] = []
        since = self.since
        last = False
        while not last:
            last = self.over.wait(0.002)
            if settles or last:
                sequencer.settle(self.database)
            with self.database.reading() as db:
                seen = db.execute(
                    sa.select(col(Feed.seq)).where(col(Feed.seq) > since).order_by(col(Feed.seq))
                ).scalars()
                polls.append(list(seen))
            since = polls[-1][-1] if polls[-1] else since
        return [poll for poll in polls if poll]


@contextmanager
def undone(session: Session) -> Iterator[None]:
    """A savepoint that is rolled back, as after a refusal that a bulk request goes past."""
    with suppress(Undone), session.begin_nested():
        yield
        raise Undone


def together(jobs: list[Callable[[], Any]], threads: ThreadPoolExecutor) -> list[Future[Any]]:
    start = Barrier(len(jobs))

    def begin(job: Callable[[], Any]) -> Any:
        start.wait()
        return job()

    return [threads.submit(begin, job) for job in jobs]


class TestManyWriters:
    @pytest.mark.race
    def test_every_committed_change_is_read_once_in_order_and_no_other(
        self, busy: Database, unit_id: UnitIds
    ) -> None:
        targets = [
            unit_id[f"{commune}-{n}"] for commune in ("phuongvi", "tienluong") for n in (1, 2)
        ]
        run = Run(busy, targets, settled(busy))
        writers = [partial(run.write, number) for number in range(WRITERS)]
        readers = [partial(run.read, settles=settles) for settles in (True, False)]
        with ThreadPoolExecutor(WRITERS + SEQUENCERS + 2) as threads:
            started = together([*writers, *[run.sequence] * SEQUENCERS, *readers], threads)
            for written in started[:WRITERS]:
                written.result()
            run.over.set()
            polls = [read.result() for read in started[-2:]]

        rows = fed(busy, run.since)
        expected = list(range(run.since + 1, run.since + 1 + len(run.committed)))
        assert [row.seq for row in rows] == expected
        assert head(busy) == expected[-1]
        for seen in polls:
            assert [seq for poll in seen for seq in poll] == expected
            # Not one after the other at the end: while the writers were at work.
            assert len(seen) > 5

        with writing(busy) as session:
            stored = {change.id: change for change in session.exec(select(Change))}
            assert session.exec(select(Outbox)).all() == []
        log = [stored[row.change_id] for row in rows]
        assert len({change.id for change in log}) == len(log)
        assert sorted(
            (str(change.source_ref), int(change.entity_id), change.revision) for change in log
        ) == sorted(run.committed)
        revisions: defaultdict[str, list[int]] = defaultdict(list)
        for change in log:
            revisions[change.entity_id].append(change.revision)
        for found in revisions.values():
            assert found == list(range(2, len(found) + 2))
        with writing(busy) as session:
            for target in targets:
                unit = session.get_one(Unit, target)
                assert unit.revision == len(revisions[str(target)]) + 1

    @pytest.mark.race
    def test_a_change_committed_after_a_later_one_is_not_lost(
        self, busy: Database, unit_id: UnitIds
    ) -> None:
        """The loss of a plain sequence: the later number is read first, the earlier one never."""
        since = settled(busy)
        first, second = unit_id["phuongvi-1"], unit_id["phuongvi-2"]

        def quick() -> None:
            with busy.writing() as session:
                attribute(session)
                touch(session, second, "2")

        with ThreadPoolExecutor(1) as threads:
            with busy.writing() as session:
                attribute(session)
                touch(session, first, "1")
                other = threads.submit(quick)
                with suppress(TimeoutError):  # on SQLite it waits for its turn
                    other.result(timeout=0.2)
                sequencer.settle(busy)
                seen = self._read(busy, since)
            other.result()
        settled(busy)
        assert len(seen) == (0 if busy.on_sqlite else 1)
        rest = self._read(busy, max([since, *seen]))
        assert seen + rest == [since + 1, since + 2]
        assert {row.unit_id for row in fed(busy, since)} == {first, second}

    @staticmethod
    def _read(database: Database, since: int) -> list[int]:
        with database.reading() as db:
            feed = sa.select(col(Feed.seq)).where(col(Feed.seq) > since).order_by(col(Feed.seq))
            return list(db.execute(feed).scalars())

    @pytest.mark.race
    def test_over_http_too(self, api: Api, app: Any, busy: Database, unit_id: UnitIds) -> None:
        """Eight clients change two units and two members; a ninth polls `since`."""
        give(app, database=busy)
        since = settled(busy)
        paths = [f"/v1/units/{unit_id[slug]}" for slug in ("phuongvi-1", "tienluong-1")]
        for slug in ("phuongvi-1", "tienluong-1"):
            found = api.as_("phutho").get(f"/v1/members?branch={unit_id[slug]}&limit=1").json()
            paths.append(f"/v1/members/{found['items'][0]['id']}")
        clients = [api.as_("phutho") for _ in range(WRITERS)]
        poller, numbers, over = api.as_("phutho"), count(1), Event()

        def change(client: Api) -> list[tuple[str, int]]:
            made = []
            for turn in range(8):
                path = paths[turn % len(paths)]
                answer = client.patch(path, json={"phone": f"09123456{next(numbers):02}"})
                assert answer.status_code == 200, answer.text
                made.append((str(answer.json()["id"]), answer.json()["revision"]))
            return made

        def poll() -> list[dict[str, Any]]:
            seen: list[dict[str, Any]] = []
            last = False
            while not last:
                last = over.is_set()
                after = seen[-1]["seq"] if seen else since
                answer = poller.get(f"/v1/changes?after={after}&limit=200")
                assert answer.status_code == 200, answer.text
                seen += answer.json()["items"]
            return seen

        with ThreadPoolExecutor(WRITERS + 1) as threads:
            started = together([*(partial(change, client) for client in clients), poll], threads)
            made = [each for writer in started[:-1] for each in writer.result()]
            over.set()
            seen = started[-1].result()
        assert [item["seq"] for item in seen] == list(range(since + 1, since + len(made) + 1))
        assert sorted((item["entity_id"], item["revision"]) for item in seen) == sorted(made)
        assert len(set(made)) == len(made) == WRITERS * 8


class TestSequencing:
    def test_a_crash_between_commit_and_place_loses_nothing(
        self, database: Database, unit_id: UnitIds
    ) -> None:
        since = settled(database)
        dying = Database(database.settings)
        with dying.writing() as session:
            attribute(session)
            touch(session, unit_id["phuongvi-1"], "1")
        with suppress(Undone), dying.writing() as session:
            sequencer.place_committed(session)
            raise Undone
        dying.close()
        risen = Database(database.settings)
        assert settled(risen) == since + 1
        assert [row.unit_id for row in fed(risen, since)] == [unit_id["phuongvi-1"]]
        assert settled(risen) == since + 1
        risen.close()

    def test_small_batches_are_gapless_and_in_the_order_of_writing(
        self, database: Database, unit_id: UnitIds
    ) -> None:
        since = settled(database)
        slugs = [f"phuongvi-{number}" for number in (1, 2, 3, 4)] * 2
        for turn, slug in enumerate(slugs):
            with database.writing() as session:
                attribute(session)
                touch(session, unit_id[slug], str(turn))
        placed = 1
        while placed:
            with database.writing() as session:
                placed = sequencer.place_committed(session, batch=3)
            assert placed <= 3
        rows = fed(database, since)
        assert [row.seq for row in rows] == list(range(since + 1, since + 9))
        assert [row.unit_id for row in rows] == [unit_id[slug] for slug in slugs]
        assert head(database) == since + 8

    def test_with_nothing_waiting_it_changes_nothing(self, database: Database) -> None:
        since = settled(database)
        assert not sequencer.waiting(database)
        assert sequencer.settle(database) == 0
        assert head(database) == since

    def test_a_server_places_changes_without_any_reader(
        self, database: Database, unit_id: UnitIds
    ) -> None:
        since = settled(database)
        with sequencer.background(database):
            for number in (1, 2):
                with database.writing() as session:
                    attribute(session)
                    touch(session, unit_id[f"phuongvi-{number}"], "1")
                deadline = time.monotonic() + 10
                while head(database) < since + number and time.monotonic() < deadline:
                    time.sleep(0.02)
                assert head(database) == since + number
        assert [row.unit_id for row in fed(database, since)] == [
            unit_id["phuongvi-1"],
            unit_id["phuongvi-2"],
        ]

    def test_two_servers_place_each_change_once(self, database: Database, unit_id: UnitIds) -> None:
        since, other = settled(database), Database(database.settings)
        with sequencer.background(database), sequencer.background(other):
            for turn in range(10):
                with database.writing() as session:
                    attribute(session)
                    touch(session, unit_id["phuongvi-1"], str(turn))
            deadline = time.monotonic() + 10
            while head(database) < since + 10 and time.monotonic() < deadline:
                time.sleep(0.02)
        other.close()
        rows = fed(database, since)
        assert [row.seq for row in rows] == list(range(since + 1, since + 11))
        assert [logged(database, row).revision for row in rows] == list(range(2, 12))


class TestCapture:
    """What a flush writes, and what leaves no trace."""

    @pytest.fixture
    def since(self, database: Database) -> int:
        return settled(database)

    def test_without_an_origin_nothing_is_written(
        self, database: Database, unit_id: UnitIds, since: int
    ) -> None:
        with pytest.raises(RuntimeError, match="origin"), database.writing() as session:
            touch(session, unit_id["phuongvi-1"], "1")
        with writing(database) as session:
            assert session.get_one(Unit, unit_id["phuongvi-1"]).phone is None
        assert settled(database) == since

    def test_each_flush_is_a_change_of_its_own(
        self, database: Database, unit_id: UnitIds, since: int
    ) -> None:
        with database.writing() as session:
            attribute(session)
            touch(session, unit_id["phuongvi-1"], "1")
            touch(session, unit_id["phuongvi-1"], "2")
        settled(database)
        log = [logged(database, row) for row in fed(database, since)]
        assert [(c.revision, c.before, c.after) for c in log] == [
            (2, {"phone": None}, {"phone": "1"}),
            (3, {"phone": "1"}, {"phone": "2"}),
        ]

    def test_there_and_back_within_a_flush_is_no_change(
        self, database: Database, unit_id: UnitIds, since: int
    ) -> None:
        with database.writing() as session:
            attribute(session)
            unit = session.get_one(Unit, unit_id["phuongvi"])
            name, unit.name = unit.name, "Xã khác"
            unit.name = name
        assert settled(database) == since
        with writing(database) as session:
            assert session.get_one(Unit, unit_id["phuongvi"]).revision == 1

    def test_a_derived_column_alone_is_no_change(
        self, database: Database, unit_id: UnitIds, since: int
    ) -> None:
        with database.writing() as session:
            attribute(session)
            session.get_one(Unit, unit_id["phuongvi"]).name_key = "khac"
        assert settled(database) == since
        with writing(database) as session:
            unit = session.get_one(Unit, unit_id["phuongvi"])
        assert (unit.name_key, unit.revision) == ("khac", 1)

    def test_a_rolled_back_savepoint_leaves_no_trace_and_the_rest_does(
        self, database: Database, unit_id: UnitIds, since: int
    ) -> None:
        with database.writing() as session:
            attribute(session)
            touch(session, unit_id["phuongvi-1"], "1")
            with undone(session):
                touch(session, unit_id["phuongvi-2"], "2")
            touch(session, unit_id["phuongvi-3"], "3")
        settled(database)
        rows = fed(database, since)
        assert [row.seq for row in rows] == [since + 1, since + 2]
        assert [row.unit_id for row in rows] == [unit_id["phuongvi-1"], unit_id["phuongvi-3"]]

    def test_what_a_failed_flush_was_about_to_log_has_not_happened(
        self, database: Database, unit_id: UnitIds, since: int
    ) -> None:
        with database.writing() as session:
            attribute(session)
            existing = session.exec(select(Account).limit(1)).one()
            savepoint = session.begin_nested()
            session.add(Account(**existing.model_dump(exclude={"id"})))
            with pytest.raises(IntegrityError):
                session.flush()
            savepoint.rollback()
            touch(session, unit_id["phuongvi-1"], "1")
        settled(database)
        assert [row.entity for row in fed(database, since)] == ["unit"]

    def test_a_deleted_row_is_kept_in_its_last_change(
        self, database: Database, unit_id: UnitIds, since: int
    ) -> None:
        with database.writing() as session:
            attribute(session)
            grant = session.exec(
                select(Grant).where(col(Grant.unit_id) == unit_id["phuongvi-2"])
            ).one()
            session.delete(grant)
        settled(database)
        [row] = fed(database, since)
        change = logged(database, row)
        assert (change.operation, change.entity_id, change.after) == (
            Operation.deleted,
            str(grant.id),
            None,
        )
        assert change.before == {
            "account_id": str(grant.account_id),
            "unit_id": unit_id["phuongvi-2"],
            "role": Role.branch_head.value,
            "valid_from": grant.valid_from.isoformat(),
            "valid_to": None,
            "granted_by": None,
            "appointment_id": grant.appointment_id and str(grant.appointment_id),
            "parent_id": None,
            "rights": None,
            "reads_past": False,
        }
        assert (row.commune_id, row.branch_id) == (unit_id["phuongvi"], unit_id["phuongvi-2"])

    def test_rows_written_in_bulk_are_logged_by_hand(
        self, database: Database, unit_id: UnitIds, since: int
    ) -> None:
        now = utc_now()
        with database.writing() as session:
            attribute(session, "import-7/row-3")
            account = session.exec(select(Account).limit(1)).one()
            row = {
                "id": new_id(),
                "account_id": account.id,
                "unit_id": unit_id["tienluong-3"],
                "role": Role.auditor,
                "valid_from": local_today(),
                "valid_to": None,
                "granted_by": None,
                "revision": 1,
                "created_at": now,
                "updated_at": now,
            }
            session.connection().execute(sa.insert(Grant), [row])
            changes.record_created(session, Grant, [row])
        settled(database)
        [placed] = fed(database, since)
        change = logged(database, placed)
        assert (change.operation, change.source, change.source_ref) == (
            Operation.created,
            ChangeSource.job,
            "import-7/row-3",
        )
        assert change.after is not None
        assert change.after["unit_id"] == unit_id["tienluong-3"]
        assert placed.commune_id == unit_id["tienluong"]

    def test_who_did_it_is_kept_with_it(
        self, database: Database, unit_id: UnitIds, since: int
    ) -> None:
        origin = changes.Origin(
            ChangeSource.sync,
            account_id=new_id(),
            session_id=new_id(),
            device="điện thoại",
            request_id="r-1",
            source_ref="op-9",
        )
        with database.writing() as session:
            changes.attribute(session, origin)
            touch(session, unit_id["phuongvi-1"], "1")
        settled(database)
        change = logged(database, fed(database, since)[0])
        kept = {name: getattr(change, name) for name in changes.Origin.__slots__}
        assert changes.Origin(**kept) == origin


class TestRevise:
    """A change without a flush: the same log, the same revision."""

    @pytest.fixture
    def since(self, database: Database) -> int:
        return settled(database)

    def _revise(self, database: Database, where: int, **new: Any) -> dict[str, Any]:
        with database.writing() as session:
            attribute(session)
            row = session.exec(select(Member).where(col(Member.branch_id) == where).limit(1)).one()
            return changes.revise(session, Member, row.model_dump(), new)

    def test_is_logged_as_a_flush_is(
        self, database: Database, unit_id: UnitIds, since: int
    ) -> None:
        row = self._revise(database, unit_id["phuongvi-1"], full_name="Hà Thị Mơ", sort_key="mo")
        settled(database)
        [placed] = fed(database, since)
        change = logged(database, placed)
        assert (change.operation, change.revision, placed.branch_id) == (
            Operation.updated,
            2,
            unit_id["phuongvi-1"],
        )
        assert (change.after, change.before and [*change.before]) == (
            {"full_name": "Hà Thị Mơ"},
            ["full_name"],
        )
        with writing(database) as session:
            stored = session.get_one(Member, UUID(change.entity_id))
        assert (stored.full_name, stored.sort_key, stored.revision) == ("Hà Thị Mơ", "mo", 2)
        assert stored.model_dump() == row

    def test_equal_values_are_no_change(
        self, database: Database, unit_id: UnitIds, since: int
    ) -> None:
        with writing(database) as session:
            before = session.exec(
                select(Member).where(col(Member.branch_id) == unit_id["phuongvi-1"]).limit(1)
            ).one()
        row = self._revise(database, unit_id["phuongvi-1"], full_name=before.full_name)
        assert row == before.model_dump()
        assert settled(database) == since
        with writing(database) as session:
            assert session.get_one(Member, before.id).model_dump() == before.model_dump()

    def test_a_move_stands_twice_in_the_feed(
        self, database: Database, unit_id: UnitIds, since: int
    ) -> None:
        there = {"branch_id": unit_id["tienluong-2"], "commune_id": unit_id["tienluong"]}
        self._revise(database, unit_id["phuongvi-1"], **there)
        settled(database)
        rows = fed(database, since)
        assert [(row.operation, row.commune_id, row.branch_id) for row in rows] == [
            (Operation.left_scope, unit_id["phuongvi"], unit_id["phuongvi-1"]),
            (Operation.entered_scope, unit_id["tienluong"], unit_id["tienluong-2"]),
        ]


class TestAfterASavepoint:
    def test_the_old_value_is_what_the_database_holds(
        self, database: Database, unit_id: UnitIds
    ) -> None:
        """A savepoint rolled back leaves the entity expired: what was there must be looked up."""
        since = settled(database)
        with database.writing() as session:
            attribute(session)
            unit = session.get_one(Unit, unit_id["phuongvi"])
            unit.phone = "0210 1"
            session.flush()
            with suppress(Undone), session.begin_nested():
                unit.phone = "0210 2"
                session.flush()
                raise Undone
            unit.phone = "0210 3"
            session.flush()
        settled(database)
        changed = [logged(database, row) for row in fed(database, since)]
        assert [(c.before, c.after) for c in changed] == [
            ({"phone": None}, {"phone": "0210 1"}),
            ({"phone": "0210 1"}, {"phone": "0210 3"}),
        ]


class TestNothing:
    def test_before_a_creation_is_null_in_the_database_too(self, database: Database) -> None:
        with database.reading() as db:
            created = col(Change.operation) == Operation.created
            total = sa.select(sa.func.count()).where(created)
            null = total.where(col(Change.before).is_(None))
            assert db.execute(null).scalar_one() == db.execute(total).scalar_one() > 0
