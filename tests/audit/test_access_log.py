"""Who was shown whose sensitive data: noted by every way of reading, shown to her and her officers."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlmodel import col, select

from app.api.http.server import serving
from app.clock import local_today, utc_now
from app.db import Database
from app.models.kernel.access_log import AccessRead, ReadHow
from app.models.kernel.accounts import Account
from app.services.kernel import access_log, upkeep
from app.services.kernel.access import Actor
from app.services.kernel.access_log import AccessLog
from app.services.kernel.shown import Shown
from tests.helpers.answers import Json, refused
from tests.helpers.client import Api, counted, writing

FIELDS = ["citizen_id", "ethnicity", "id_card", "party", "party_joined_on", "phone", "religion"]


def read_of(her: Api) -> list[tuple[str, str, int, list[str]]]:
    items = her.get("/v1/me/access-log").json()["items"]
    return [(item["reader"], item["how"], item["times"], item["fields"]) for item in items]


@pytest.fixture
def her_id(api: Api, database: Database) -> str:
    """The member who may sign in; every sensitive field of hers is filled in."""
    with writing(database) as session:
        found = session.exec(select(Account.member_id).where(col(Account.username) == "member"))
        member_id = str(found.one())
    body = {
        "phone": "0912345678",
        "citizen_id": "025188001234",
        "id_card": "131234567",
        "ethnicity": "02",
        "religion": "catholic",
        "party": "member",
        "party_joined_on": "2015-05-19",
    }
    assert api.as_("phuongvi").patch(f"/v1/members/{member_id}", json=body).status_code == 200
    forget_all(api, database)
    return member_id


def forget_all(api: Api, database: Database) -> None:
    serving(api.app).access_log.flush()
    with writing(database) as session:
        session.execute(sa.delete(AccessRead))


@pytest.fixture
def her(api: Api) -> Api:
    return api.as_("member")


@pytest.fixture
def names(database: Database) -> dict[str, str]:
    with writing(database) as session:
        return {account.username: account.display_name for account in session.exec(select(Account))}


class TestWhatIsNoted:
    def test_a_detail_with_the_fields_that_were_shown(
        self, api: Api, her: Api, her_id: str, names: dict[str, str], database: Database
    ) -> None:
        officer, head = api.as_("phuongvi"), api.as_("phuongvi-1")
        officer.get(f"/v1/members/{her_id}")
        officer.get(f"/v1/members/{her_id}")
        masked = head.get(f"/v1/members/{her_id}").json()["masked"]
        assert "religion" in masked
        assert sorted(read_of(her)) == sorted(
            [
                (names["phuongvi"], "detail", 2, FIELDS),
                (names["phuongvi-1"], "detail", 1, sorted({*FIELDS} - {*masked})),
            ]
        )
        item = next(i for i in her.get("/v1/me/access-log").json()["items"] if i["times"] == 2)
        with writing(database) as session:
            account = session.exec(select(Account).where(col(Account.username) == "phuongvi")).one()
        assert item["day"] == local_today().isoformat()
        assert item["account_id"] == str(account.id)
        assert item["kind"] == "person"
        assert item["unit"]["level"] == "commune"

    def test_nothing_where_nothing_sensitive_was_shown(
        self, api: Api, her: Api, her_id: str
    ) -> None:
        api.as_("auditor").get(f"/v1/members/{her_id}")  # all masked
        api.as_("phuongvi").get(f"/v1/members/{her_id}?fields=id,full_name")
        api.as_("tienluong").get(f"/v1/members/{her_id}")  # not found
        her.get("/v1/me/member")  # she herself
        assert read_of(her) == []

    def test_only_the_fields_chosen(
        self, api: Api, her: Api, her_id: str, names: dict[str, str]
    ) -> None:
        officer = api.as_("phuongvi")
        officer.get(f"/v1/members/{her_id}?fields=full_name,religion")
        assert read_of(her) == [(names["phuongvi"], "detail", 1, ["religion"])]
        officer.get(f"/v1/members/{her_id}?fields=phone")
        assert read_of(her) == [(names["phuongvi"], "detail", 2, ["phone", "religion"])]

    def test_lists_searches_and_files(
        self, api: Api, her: Api, her_id: str, names: dict[str, str], database: Database
    ) -> None:
        officer = api.as_("phuongvi")
        branch = officer.get(f"/v1/members/{her_id}").json()["branch_id"]
        forget_all(api, database)
        page = officer.get(f"/v1/members?branch={branch}&limit=200").json()["items"]
        officer.get("/v1/members?q=025188001234")
        for form in ("csv", "ndjson", "xlsx"):
            officer.get(f"/v1/members?branch={branch}&format={form}")
        name = names["phuongvi"]
        assert read_of(her) == [(name, "export", 3, FIELDS), (name, "list", 2, FIELDS)]
        with writing(database) as session:
            rows = session.exec(select(AccessRead)).all()
        everyone = {item["id"] for item in page if any(item[name] for name in FIELDS)}
        everyone -= {officer.get("/v1/me").json()["member_id"]}  # what she reads of herself
        assert {str(row.member_id) for row in rows} == everyone

    def test_of_a_page_no_more_than_was_on_it(self, api: Api, database: Database) -> None:
        shown = api.as_("phuongvi-1").get("/v1/members?limit=3").json()["items"]
        serving(api.app).access_log.flush()
        with writing(database) as session:
            noted = {str(row.member_id) for row in session.exec(select(AccessRead)).all()}
        assert noted == {item["id"] for item in shown if item["phone"] is not None}

    def test_what_a_write_answers(
        self, api: Api, her: Api, her_id: str, names: dict[str, str]
    ) -> None:
        api.as_("phuongvi").patch(f"/v1/members/{her_id}", json={})
        assert read_of(her) == [(names["phuongvi"], "detail", 1, FIELDS)]

    def test_the_change_log(self, api: Api, her: Api, her_id: str, names: dict[str, str]) -> None:
        officer = api.as_("phuongvi")
        officer.get(f"/v1/changes?kinds=member&entity_id={her_id}")
        officer.get(f"/v1/changes/history?entity=member&entity_id={her_id}")
        officer.get(f"/v1/changes?kinds=member&entity_id={her_id}&fields=seq,operation")
        found = {(how, tuple(fields)) for _, how, _, fields in read_of(her)}
        assert found == {("list", tuple(FIELDS)), ("detail", tuple(FIELDS))}

    def test_a_value_that_was_taken_back(
        self, api: Api, her: Api, her_id: str, names: dict[str, str], database: Database
    ) -> None:
        officer = api.as_("phuongvi")
        officer.patch(f"/v1/members/{her_id}", json={"citizen_id": None, "id_card": None})
        seq = officer.get(f"/v1/changes?kinds=member&entity_id={her_id}").json()["items"][-1]["seq"]
        forget_all(api, database)
        shown = officer.get(f"/v1/changes/history?entity=member&entity_id={her_id}")
        assert "025188001234" in shown.text
        officer.get(f"/v1/changes?kinds=member&entity_id={her_id}&after={seq - 1}")
        assert read_of(her) == [
            (names["phuongvi"], "detail", 1, FIELDS),
            (names["phuongvi"], "list", 1, ["citizen_id", "id_card"]),
        ]

    @pytest.mark.parametrize(
        ("query", "fields"),
        [
            ("religion=catholic", ["religion"]),
            ("ethnicity=02&party=member", ["ethnicity", "party"]),
            ("q=0912345678", ["citizen_id", "id_card", "phone"]),
            ("q=①②③④&religion=catholic", ["citizen_id", "id_card", "phone", "religion"]),
            ("gender=female&q=lan", []),
        ],
    )
    def test_what_being_on_a_list_tells(
        self,
        api: Api,
        her: Api,
        her_id: str,
        names: dict[str, str],
        database: Database,
        query: str,
        fields: list[str],
    ) -> None:
        officer = api.as_("phuongvi")
        officer.patch(f"/v1/members/{her_id}", json={"full_name": "Hà Thị Lan"})
        forget_all(api, database)
        path = f"/v1/members?{query}&fields=id,full_name&limit=200"
        listed = officer.get(path).json()["items"]
        assert {"id": her_id, "full_name": "Hà Thị Lan"} in listed
        officer.get(f"{path}&format=csv")
        name = names["phuongvi"]
        how = ("export", "list") if fields else ()
        assert read_of(her) == [(name, each, 1, fields) for each in how]

    def test_the_corrections_she_asks_for(
        self, api: Api, her: Api, her_id: str, names: dict[str, str]
    ) -> None:
        body = {"changes": {"full_name": "Hà Thị Lan", "religion": "buddhist"}}
        item = her.post("/v1/me/corrections", json=body).json()
        api.as_("phuongvi-1").get(f"/v1/correction-requests/{item['id']}")  # masked to her
        assert read_of(her) == []
        api.as_("phuongvi").get(f"/v1/correction-requests/{item['id']}")
        api.as_("phuongvi").get("/v1/correction-requests")
        assert read_of(her) == [
            (names["phuongvi"], "detail", 1, ["religion"]),
            (names["phuongvi"], "list", 1, ["religion"]),
        ]


class TestListAccessLog:
    def test_for_whoever_may_read_changes_of_her(self, api: Api, her: Api, her_id: str) -> None:
        api.as_("phuongvi-1").get(f"/v1/members/{her_id}")
        path = f"/v1/members/{her_id}/access-log"
        mine = her.get("/v1/me/access-log").json()["items"]
        for who in ("phuongvi-1", "phuongvi", "camkhe", "auditor"):
            assert api.as_(who).get(path).json()["items"] == mine
        for who in ("phuongvi-2", "tienluong"):
            refused(api.as_(who).get(path), 404, "not_found")
        # She holds changes:read over everything, and sees no member.
        body = refused(api.as_("admin").get(path), 403, "forbidden")
        assert body["required_right"] == "members:read"
        refused(her.get(path), 403, "forbidden")

    def test_whoever_may_not_read_it_makes_nobody_write(
        self, api: Api, her_id: str, database: Database
    ) -> None:
        api.as_("phuongvi").get(f"/v1/members/{her_id}")  # waits to be written
        refusals = (
            ("admin", f"/v1/members/{her_id}/access-log", 403, "forbidden"),
            ("tienluong", f"/v1/members/{her_id}/access-log", 404, "not_found"),
            ("auditor", "/v1/me/access-log", 404, "no_own_record"),
        )
        for who, path, status, code in refusals:
            caller = api.as_(who)
            with counted(database) as statements:
                refused(caller.get(path), status, code)
            assert not any("access_read" in statement for statement in statements)

    def test_the_last_day_first_in_pages_with_one_question(
        self, api: Api, her: Api, her_id: str, database: Database
    ) -> None:
        with writing(database) as session:
            accounts = session.exec(select(Account.id).order_by(col(Account.id)).limit(3)).all()
            for days in range(3):
                for account_id in accounts:
                    for how in ReadHow:
                        session.add(
                            AccessRead(
                                member_id=UUID(her_id),
                                day=local_today() - timedelta(days=days),
                                account_id=account_id,
                                how=how,
                                fields="phone",
                                times=1,
                                last_at=utc_now(),
                            )
                        )
        whole = her.get("/v1/me/access-log").json()["items"]
        assert len(whole) == 27
        days_shown = [item["day"] for item in whole]
        assert days_shown == sorted(days_shown, reverse=True)
        pages: list[Json] = []
        path = "/v1/me/access-log?limit=4"
        answer = her.get(path).json()
        pages += answer["items"]
        while answer["next_cursor"]:
            answer = her.get(f"{path}&cursor={answer['next_cursor']}").json()
            pages += answer["items"]
        assert pages == whole
        with counted(database) as statements:
            her.get("/v1/me/access-log")
        assert len([s for s in statements if "FROM access_read" in s]) == 1


class TestWriting:
    """The log itself: adds up, survives an outage, forgets in time."""

    @pytest.fixture
    def log(self, app: FastAPI) -> AccessLog:
        return serving(app).access_log

    def rows(self, database: Database) -> list[tuple[int, str]]:
        with writing(database) as session:
            found = session.exec(select(AccessRead).order_by(col(AccessRead.member_id))).all()
            return [(row.times, row.fields) for row in found]

    def test_reading_writes_nothing_by_itself(
        self, api: Api, her_id: str, log: AccessLog, database: Database
    ) -> None:
        officer = api.as_("phuongvi")
        with counted(database) as statements:
            for _ in range(5):
                officer.get(f"/v1/members/{her_id}")
        assert not any("access_read" in statement for statement in statements)
        with counted(database) as statements:
            log.flush()
        assert len([s for s in statements if "INSERT INTO access_read" in s]) == 1
        assert self.rows(database) == [(5, ",".join(FIELDS))]
        with counted(database) as statements:
            log.flush()
        assert statements == []

    def test_what_could_not_be_written_is_kept(
        self, api: Api, her_id: str, log: AccessLog, database: Database
    ) -> None:
        officer = api.as_("phuongvi")
        officer.get(f"/v1/members/{her_id}")
        with away(database), pytest.raises(sa.exc.SQLAlchemyError):
            log.flush()
        officer.get(f"/v1/members/{her_id}")
        log.flush()
        assert self.rows(database) == [(2, ",".join(FIELDS))]

    def test_the_same_again_takes_no_more_memory(
        self, api: Api, log: AccessLog, database: Database
    ) -> None:
        actor = _actor_of(api, database)
        found = [_phone_of(number) for number in range(1_000)]
        for _ in range(12):
            log.note(actor, found)
        assert len(list(log._sums)) == 1_000
        log.flush()
        assert self.rows(database) == [(12, "phone")] * 1_000

    def test_what_exceeds_the_bound_is_dropped(
        self, api: Api, log: AccessLog, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(access_log, "MOST_SUMS", 3)
        log.note(_actor_of(api, database), [_phone_of(number) for number in range(5)])
        log.flush()
        assert self.rows(database) == [(1, "phone")] * 3
        assert log._sums.lost == 2

    def test_a_thread_writes_within_a_second_or_two_and_the_rest_at_the_end(
        self, api: Api, log: AccessLog, database: Database
    ) -> None:
        actor = _actor_of(api, database)
        with log:
            log.note(actor, [_phone_of(1)])
            until = time.monotonic() + 10
            while not self.rows(database) and time.monotonic() < until:
                time.sleep(0.1)
            assert self.rows(database) == [(1, "phone")]
            log.note(actor, [_phone_of(1)._replace(fields=frozenset(["religion"]))])
        assert self.rows(database) == [(2, "phone,religion")]

    def test_is_forgotten_in_time(self, her: Api, her_id: str, database: Database) -> None:
        kept = database.settings.access_log_days
        with writing(database) as session:
            account_id = session.exec(select(Account.id).limit(1)).one()
            for days in (kept - 1, kept, kept + 1):
                session.add(
                    AccessRead(
                        member_id=UUID(her_id),
                        day=local_today() - timedelta(days=days),
                        account_id=account_id,
                        how=ReadHow.detail,
                        fields="phone",
                        times=1,
                        last_at=utc_now(),
                    )
                )
        upkeep.do_due(database)
        days_left = {item["day"] for item in her.get("/v1/me/access-log").json()["items"]}
        assert days_left == {
            (local_today() - timedelta(days=days)).isoformat() for days in (kept - 1, kept)
        }


@contextmanager
def away(database: Database) -> Iterator[None]:
    """No table to write to, for as long as the block lasts."""
    with writing(database) as session:
        session.execute(sa.text("ALTER TABLE access_read RENAME TO access_read_away"))
    yield
    with writing(database) as session:
        session.execute(sa.text("ALTER TABLE access_read_away RENAME TO access_read"))


def _phone_of(number: int) -> Shown:
    return Shown("member", [UUID(int=number)], frozenset(["phone"]), ReadHow.list)


def _actor_of(api: Api, database: Database) -> Actor:
    with writing(database) as session:
        account = session.exec(select(Account).where(col(Account.username) == "phuongvi")).one()
    return Actor(account.id, account.kind, "phuongvi", UUID(int=0), None, None, False, ())
