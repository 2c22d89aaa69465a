"""Bulk upsert: lines come in, each gets its verdict; what is sent again changes nothing."""

import gzip
from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
import sqlalchemy as sa
from sqlmodel import col, func, select

from app.db import Database
from app.models.external_ids.external_ids import MemberExternalId
from app.models.imports.bulk import BulkSet, BulkSummary, BulkVerdict
from app.models.imports.imports import Import, ImportState
from app.models.imports.rows import ImportRow
from app.models.kernel.changes import Change, ChangeSource
from app.models.members.members import Member
from app.services.imports import bulk, bulk_lines, bulk_sets
from tests.helpers.answers import Json, refused
from tests.helpers.cadres import Ids, done, forbidden
from tests.helpers.client import Api, writing
from tests.imports.test_imports import Work, everyone

NDJSON = {"content-type": "application/x-ndjson"}


def lines_of(*items: Json) -> bytes:
    return b"".join(orjson.dumps(each) + b"\n" for each in items)


def push(
    api: Api,
    unit: int,
    content: bytes,
    kind: str = "members",
    headers: Mapping[str, str] | None = None,
    **query: Any,
) -> Any:
    asked = "".join(f"&{name}={value}" for name, value in query.items())
    path = f"/v1/bulk/{kind}?unit={unit}{asked}"
    return api.post(path, content=content, headers={**NDJSON, **(headers or {})})


def verdicts_of(answer: Any) -> tuple[list[Json], Json]:
    """The verdicts, and the last line."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    *found, end = [orjson.loads(line) for line in answer.content.splitlines()]
    assert end["lines"] == len(found)
    assert end.keys() == BulkSummary.model_fields.keys()
    for each in found:
        assert each.keys() == BulkVerdict.model_fields.keys()
        BulkVerdict.model_validate(each)
    return found, end


def said(answer: Any) -> list[str]:
    return [each["verdict"] for each in verdicts_of(answer)[0]]


def codes(verdict: Json) -> list[tuple[str, str]]:
    return [(each["field"], each["code"]) for each in verdict["problems"]]


def women(branch: int, count: int, start: int = 0) -> list[Json]:
    """Each somebody else, by her number in another system."""
    words = ("Hà", "Liên", "Mận", "Đào", "Nga", "Tuyết", "Vân", "Yến", "Bưởi", "Cúc")
    return [
        {
            "external_id": f"hoitinh|{n}",
            "full_name": f"Khổng {words[n // 100 % 10]} {words[n // 10 % 10]} {words[n % 10]}",
            "birth_date": f"{1950 + n % 50}-{n % 12 + 1:02}-{n % 27 + 1:02}",
            "branch_id": branch,
            "phone": f"0987{n:06}",
        }
        for n in range(start, start + count)
    ]


def count(database: Database, model: type[Any]) -> int:
    with writing(database) as session:
        return session.exec(select(func.count()).select_from(model)).one()


class TestVerdicts:
    def test_each_line_in_order(self, officer: Api, database: Database, unit_id: Ids) -> None:
        unit, branch = unit_id["phuongvi"], unit_id["phuongvi-1"]
        [new, other] = women(branch, 2)
        body = lines_of(
            new,
            {"full_name": "Khổng Thị Thiếu"},
            {"external_id": new["external_id"], "phone": "0912345678"},
            {"external_id": new["external_id"], "phone": "0912345678"},
            other | {"decision": "skip"},
        )
        found, end = verdicts_of(push(officer, unit, body))
        assert [(each["line"], each["verdict"]) for each in found] == [
            (1, "created"),
            (2, "refused"),
            (3, "updated"),
            (4, "unchanged"),
            (5, "skipped"),
        ]
        assert [each["revision"] for each in found] == [1, None, 2, 2, None]
        assert {each["id"] for each in (found[0], found[2], found[3])} == {found[0]["id"]}
        assert codes(found[1]) == [("birth_date", "required"), ("branch", "required")]
        assert (end["done"], end["created"], end["refused"]) == (True, 1, 1)
        member = done(officer.get(f"/v1/members/{found[0]['id']}"))
        assert (member["full_name"], member["phone"]) == (new["full_name"], "+84912345678")
        [listed] = done(officer.get("/v1/members?external_id=hoitinh|0"))["items"]
        assert listed["id"] == member["id"]
        assert done(officer.get("/v1/members?external_id=hoitinh|1"))["items"] == []
        with writing(database) as session:
            logged = session.exec(select(Change).where(col(Change.entity_id) == member["id"])).all()
        assert [each.source for each in logged] == [ChangeSource.import_] * 2
        assert {each.source_ref for each in logged} == {
            f"import {end['import_id']} chunk 0 line {n}" for n in (1, 3)
        }

    def test_a_line_changes_only_what_it_says(self, officer: Api, unit_id: Ids) -> None:
        unit = unit_id["phuongvi"]
        someone = done(officer.get("/v1/members?limit=1"))["items"][0]
        body = lines_of({"id": someone["id"], "occupation": "Thợ may", "address": None})
        [verdict], _ = verdicts_of(push(officer, unit, body))
        assert (verdict["verdict"], verdict["revision"]) == ("updated", someone["revision"] + 1)
        now = done(officer.get(f"/v1/members/{someone['id']}"))
        changed = {"occupation": "Thợ may", "revision": someone["revision"] + 1}
        assert now == someone | changed | {"not_dated": []}
        body = lines_of({"id": someone["id"], "occupation": None})
        assert said(push(officer, unit, body)) == ["unchanged"]
        assert said(push(officer, unit, body, empty_cells="clear")) == ["updated"]
        assert done(officer.get(f"/v1/members/{someone['id']}"))["occupation"] is None

    def test_who_may_be_on_record_waits_until_a_line_decides(
        self, officer: Api, database: Database, unit_id: Ids
    ) -> None:
        unit = unit_id["phuongvi"]
        someone = done(officer.get("/v1/members?limit=1"))["items"][0]
        line = {name: someone[name] for name in ("full_name", "birth_date", "branch_id")}
        line |= {"external_id": "hoi_cu|7"}
        before = everyone(database)
        [verdict], _ = verdicts_of(push(officer, unit, lines_of(line)))
        assert verdict["verdict"] == "needs_decision"
        assert verdict["candidates"][0]["id"] == someone["id"]
        assert [each["code"] for each in verdict["warnings"]] == ["row_may_be_known"]
        assert everyone(database) == before
        decided = lines_of(line | {"decision": "update"})
        [verdict], _ = verdicts_of(push(officer, unit, decided))
        assert (verdict["verdict"], verdict["id"]) == ("unchanged", someone["id"])
        assert everyone(database) == before
        assert said(push(officer, unit, lines_of({"external_id": "hoi_cu|7"}))) == ["unchanged"]

    def test_a_guess_is_told_and_a_doubt_refused(self, officer: Api, unit_id: Ids) -> None:
        unit, branch = unit_id["phuongvi"], unit_id["phuongvi-1"]
        [line] = women(branch, 1)
        found, _ = verdicts_of(
            push(
                officer,
                unit,
                lines_of(
                    line | {"citizen_id": "25168001234"},
                    line
                    | {"external_id": "hoitinh|9", "branch_id": None, "branch": "Chi hội khu 11"},
                ),
            )
        )
        assert [each["verdict"] for each in found] == ["refused", "refused"]
        [problem] = found[0]["problems"]
        assert (problem["field"], problem["code"]) == ("citizen_id", "citizen_id_zero_lost")
        assert problem["value"] == "025168001234"
        accepted = lines_of(line | {"citizen_id": "25168001234", "accept": ["citizen_id"]})
        [verdict], _ = verdicts_of(push(officer, unit, accepted))
        assert verdict["verdict"] == "created"

    def test_in_english(self, officer: Api, unit_id: Ids) -> None:
        answer = push(officer, unit_id["phuongvi"], b"{}x\n", headers={"accept-language": "en"})
        [verdict], _ = verdicts_of(answer)
        assert verdict["problems"][0]["reason"] == "The line is not JSON."


BAD = [
    (b'{"full_name": "' + b"x" * 10_000_000 + b'"}', "line", "line_too_long"),
    (b'{"full_name": "\xff"}', "line", "line_not_utf8"),
    (b'{"full_name": "a\\u0000b"}', "full_name", "nul_character"),
    (b'{"full_name": "a\x00b"}', "line", "nul_character"),
    (b'{"full_name": "\\ud800"}', "line", "line_no_json"),
    (b'{"phone": "1", "phone": "2"}', "line", "line_repeats_a_name"),
    (b'{"phone": ' + b"[" * 5000 + b"]" * 5000 + b"}", "line", "too_deep"),
    (b'{"phone": ' + b"[" * 90_000, "line", "too_deep"),
    (b'{"phone": [[[1]]]}', "phone", "wrong_type"),
    (b'{"phone": {"a": 1}}', "phone", "wrong_type"),
    (b'["a"]', "line", "line_no_object"),
    (b"null", "line", "line_no_object"),
    (b"{'a': 1}", "line", "line_no_json"),
    (b'{"a": NaN}', "line", "line_no_json"),
    (b'{"fullname": "x"}', "fullname", "unknown_field"),
    (b'{"__proto__": "x"}', "__proto__", "unknown_field"),
    (b'{"decision": "perhaps"}', "decision", "not_in_list"),
    (b'{"accept": "phone"}', "accept", "wrong_type"),
    (b'{"external_id": "no bar"}', "external_id", "external_id_form"),
    (b'{"external_id": "nowhere|1"}', "external_id", "external_system_unknown"),
    (b'{"external_id": "khac|025168001234"}', "external_id", "external_id_is_citizen_id"),
    (b'{"id": "5"}', "id", "id_invalid"),
    (b'{"branch_id": 1e400}', "line", "line_no_json"),
    (('{"full_name": "a' + "\u0301" * 200 + '"}').encode(), "line", "text_invalid"),
]


class TestBadLines:
    def test_are_refused_and_the_others_go_on(
        self, officer: Api, database: Database, unit_id: Ids
    ) -> None:
        before = everyone(database)
        first, last = women(unit_id["phuongvi-1"], 2)
        bad = b"\n".join(line for line, _, _ in BAD)
        body = lines_of(first) + bad + b"\n\n" + lines_of(last)[:-1]
        found, end = verdicts_of(push(officer, unit_id["phuongvi"], body))
        verdicts = [each["verdict"] for each in found]
        assert verdicts == ["created", *["refused"] * len(BAD), "created"]
        assert [each["line"] for each in found] == [*range(1, len(BAD) + 2), len(BAD) + 3]
        for verdict, (line, field, code) in zip(found[1:-1], BAD, strict=True):
            assert (field, code) in codes(verdict), line[:80]
        assert len(everyone(database)) == len(before) + 2
        assert end["refused"] == len(BAD)

    def test_a_name_that_is_nearly_right_is_proposed(self, officer: Api, unit_id: Ids) -> None:
        [verdict], _ = verdicts_of(push(officer, unit_id["phuongvi"], b'{"fullname": "x"}'))
        assert verdict["problems"][0]["value"] == "full_name"

    def test_no_lines(self, officer: Api, unit_id: Ids) -> None:
        found, end = verdicts_of(push(officer, unit_id["phuongvi"], b""))
        assert (found, end["lines"], end["done"]) == ([], 0, True)


class TestBody:
    def test_gzip(self, officer: Api, unit_id: Ids) -> None:
        branch, unit = unit_id["phuongvi-1"], unit_id["phuongvi"]
        packed = gzip.compress(lines_of(*women(branch, 2))) + gzip.compress(
            lines_of(*women(branch, 1, start=2))
        )
        answer = push(officer, unit, packed, headers={"content-encoding": "gzip"})
        assert said(answer) == ["created"] * 3

    @pytest.mark.parametrize("spoil", [lambda p: p[:-20], lambda _: b"no gzip at all"])
    def test_gzip_that_is_cut(
        self, officer: Api, database: Database, unit_id: Ids, spoil: Any
    ) -> None:
        before = everyone(database)
        packed = spoil(gzip.compress(lines_of(*women(unit_id["phuongvi-1"], 3))))
        answer = push(
            officer, unit_id["phuongvi"], packed, batch="cut", headers={"content-encoding": "gzip"}
        )
        refused(answer, 400, "bulk_body_cut")
        assert everyone(database) == before

    def test_other_encodings_and_types(self, officer: Api, unit_id: Ids) -> None:
        for headers, code in (
            ({"content-encoding": "br"}, "encoding_unsupported"),
            ({"content-type": "text/csv"}, "unsupported_media_type"),
        ):
            refused(push(officer, unit_id["phuongvi"], b"{}", headers=headers), 415, code)


class TestBatch:
    def test_a_chunk_sent_again_gets_the_same_and_changes_nothing(
        self, officer: Api, database: Database, unit_id: Ids
    ) -> None:
        unit, body = unit_id["phuongvi"], lines_of(*women(unit_id["phuongvi-1"], 3), {"x": 1})
        first = push(officer, unit, body, batch="n1", chunk=4)
        before = everyone(database), count(database, Change), count(database, ImportRow)
        again = push(officer, unit, body, batch="n1", chunk=4)
        lost = officer.get("/v1/bulk/members?batch=n1&chunk=4")
        assert said(first) == ["created"] * 3 + ["refused"]
        assert first.content == again.content == lost.content
        assert first.headers["location"] == again.headers["location"]
        after = everyone(database), count(database, Change), count(database, ImportRow)
        assert after == before
        refused(officer.get("/v1/bulk/members?batch=n1&chunk=5"), 404, "not_found")
        refused(officer.get("/v1/bulk/members?batch=n2"), 404, "not_found")

    def test_a_chunk_with_other_lines_is_refused(
        self, officer: Api, database: Database, unit_id: Ids
    ) -> None:
        unit, lines = unit_id["phuongvi"], women(unit_id["phuongvi-1"], 4)
        assert said(push(officer, unit, lines_of(*lines[:2]), batch="n")) == ["created"] * 2
        before = everyone(database)
        for other in (lines[:1], lines[:3], lines[1:3]):
            answer = push(officer, unit, lines_of(*other), batch="n")
            refused(answer, 409, "bulk_chunk_differs")
        refused(push(officer, unit_id["phuongvi-1"], b"", batch="n"), 409, "bulk_batch_differs")
        refused(push(officer, unit, b"", kind="households", batch="n"), 409, "bulk_batch_differs")
        assert everyone(database) == before
        more = push(officer, unit, lines_of(*lines[2:]), batch="n", chunk=1)
        assert said(more) == ["created"] * 2
        with writing(database) as session:
            found = session.exec(select(Import)).one()
        assert found.summary is not None
        assert (found.batch, found.state, found.summary["created"]) == ("n", ImportState.applied, 4)

    def test_one_that_broke_off_goes_on(
        self, officer: Api, database: Database, unit_id: Ids, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(bulk, "at_once", lambda _: 4)
        unit, body = unit_id["phuongvi"], lines_of(*women(unit_id["phuongvi-1"], 11))
        before = len(everyone(database))
        written = bulk_sets.put
        calls: list[int] = []

        def dying(*args: Any) -> None:
            written(*args)
            calls.append(1)
            if len(calls) == 2:
                raise MemoryError

        monkeypatch.setattr(bulk_sets, "put", dying)
        refused(push(officer, unit, body, batch="k"), 500, "internal")
        found, end = verdicts_of(officer.get("/v1/bulk/members?batch=k"))
        assert (len(found), end["done"], end["created"]) == (4, False, 4)
        monkeypatch.setattr(bulk_sets, "put", written)
        answer = push(officer, unit, body, batch="k")
        found, end = verdicts_of(answer)
        assert [each["line"] for each in found] == [*range(1, 12)]
        assert (end["done"], end["created"]) == (True, 11)
        assert count(database, BulkSet) == 3
        assert len({each["id"] for each in found}) == 11
        assert len(everyone(database)) == before + 11

    def test_is_an_import_that_is_undone(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        unit, branch = unit_id["phuongvi"], unit_id["phuongvi-1"]
        someone = done(officer.get("/v1/members?limit=1"))["items"][0]
        before = everyone(database)
        lines = [
            *women(branch, 3),
            {"id": someone["id"], "occupation": "Thợ may", "external_id": "hoi_cu|1"},
        ]
        answer = push(officer, unit, lines_of(*lines), batch="u")
        assert said(answer) == ["created"] * 3 + ["updated"]
        item = done(officer.get(answer.headers["location"]))
        assert (item["state"], item["summary"]["created"], item["kind"]) == (
            "applied",
            3,
            "members",
        )
        rows = done(officer.get(f"{answer.headers['location']}/rows"))["items"]
        assert [each["number"] for each in rows] == [1, 2, 3, 4]
        undone = officer.post(f"{answer.headers['location']}/undo")
        assert undone.status_code == 202, undone.text
        work()
        assert done(officer.get(answer.headers["location"]))["state"] == "undone"
        after = everyone(database)
        assert after.keys() == before.keys()
        mine = UUID(someone["id"])
        assert after[mine]["occupation"] == before[mine]["occupation"]
        assert count(database, MemberExternalId) == 0
        refused(push(officer, unit, lines_of(*lines), batch="u"), 409, "bulk_batch_closed")

    def test_a_dry_run_writes_nothing(self, officer: Api, database: Database, unit_id: Ids) -> None:
        unit, body = unit_id["phuongvi"], lines_of(*women(unit_id["phuongvi-1"], 3), {"x": 1})
        before = everyone(database)
        found, end = verdicts_of(push(officer, unit, body, dry_run="true", batch="d"))
        assert [each["verdict"] for each in found] == ["created"] * 3 + ["refused"]
        assert [each["id"] for each in found] == [None] * 4
        assert (end["import_id"], end["created"]) == (None, 3)
        assert everyone(database) == before
        assert [count(database, m) for m in (Import, ImportRow, MemberExternalId)] == [0, 0, 0]
        assert said(push(officer, unit, body, batch="d")) == ["created"] * 3 + ["refused"]

    def test_many_lines_in_sets(
        self, officer: Api, database: Database, unit_id: Ids, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(bulk, "at_once", lambda _: 50)
        lines = women(unit_id["phuongvi-1"], 120)
        answer = push(officer, unit_id["phuongvi"], lines_of(*lines))
        assert said(answer) == ["created"] * 120
        assert count(database, BulkSet) == 3
        changed = [{"external_id": e["external_id"], "occupation": "Thợ may"} for e in lines]
        answer = push(officer, unit_id["phuongvi"], lines_of(*changed))
        assert said(answer) == ["updated"] * 120


class TestRights:
    def test_needs_the_right_over_the_unit(self, api: Api, unit_id: Ids) -> None:
        unit = unit_id["phuongvi"]
        refused(push(api, unit, b"{}"), 401, "not_authenticated")
        refused(api.get("/v1/bulk/members?batch=a"), 401, "not_authenticated")
        answer = push(api.as_("tienluong"), unit, b"{}")
        assert refused(answer, 422, "validation_failed")["errors"][0]["code"] == "unit_unknown"
        forbidden(push(api.as_("auditor"), unit, b"{}"), "members:write")

    def test_a_record_of_another_commune_is_none(
        self, api: Api, database: Database, unit_id: Ids
    ) -> None:
        theirs = done(api.as_("tienluong").get("/v1/members?limit=1"))["items"][0]
        body = {"member_id": theirs["id"], "system": "hoitinh", "value": "T1"}
        assert api.as_("tienluong").post("/v1/external-ids", json=body).status_code == 201
        before = everyone(database)
        officer, unit = api.as_("phuongvi"), unit_id["phuongvi"]
        found, _ = verdicts_of(
            push(
                officer,
                unit,
                lines_of(
                    {"external_id": "hoitinh|T1", "phone": "0912345678"},
                    {"id": theirs["id"], "phone": "0912345678"},
                    {"id": str(uuid4()), "phone": "0912345678"},
                ),
            )
        )
        assert [codes(each) for each in found] == [
            [("external_id", "member_unknown")],
            [("id", "member_unknown")],
            [("id", "member_unknown")],
        ]
        assert [each["id"] for each in found] == [None] * 3
        assert everyone(database) == before

    def test_a_restricted_record_is_left_alone(
        self, head: Api, database: Database, unit_id: Ids
    ) -> None:
        branch = unit_id["phuongvi-1"]
        [line] = women(branch, 1)
        [made], _ = verdicts_of(push(head, branch, lines_of(line)))
        with database.writing() as session:
            session.connection().execute(
                sa.update(Member).where(col(Member.id) == UUID(made["id"])).values(restricted=True)
            )
        before = everyone(database)
        body = lines_of({"external_id": line["external_id"], "occupation": "Thợ may"})
        [verdict], _ = verdicts_of(push(head, branch, body))
        assert codes(verdict) == [("external_id", "row_of_restricted")]
        assert everyone(database) == before

    def test_a_list_that_comes_whole(self, api: Api, unit_id: Ids) -> None:
        answer = push(api.as_("phutho"), unit_id["phutho"], b"{}", kind="units")
        refused(answer, 409, "bulk_kind_whole")


class TestOtherKinds:
    def test_households(self, officer: Api, unit_id: Ids, work: Work) -> None:
        unit, branch = unit_id["phuongvi"], unit_id["phuongvi-1"]
        line = {
            "external_id": "ho_ngheo|H1",
            "code": "HN-01",
            "head_name": "Khổng Thị Chủ Hộ",
            "head_birth_date": "1960",
            "head_gender": "female",
            "branch_id": branch,
            "opened_on": "2020-01-01",
        }
        answer = push(officer, unit, lines_of(line))
        [verdict], _ = verdicts_of(answer)
        assert verdict["verdict"] == "refused"
        assert ("code", "unknown_field") in codes(verdict)
        answer = push(officer, unit, lines_of(line), kind="households")
        [verdict], _ = verdicts_of(answer)
        assert verdict["verdict"] == "created", verdict
        [listed] = done(officer.get("/v1/households?external_id=ho_ngheo|H1"))["items"]
        assert listed["id"] == verdict["id"]
        body = lines_of({"external_id": "ho_ngheo|H1", "code": "HN-02"})
        [verdict], _ = verdicts_of(push(officer, unit, body, kind="households"))
        assert (verdict["verdict"], verdict["id"]) == ("updated", listed["id"])


def test_lines_are_cut_anywhere() -> None:
    body = "\ufeff".encode() + b"one\ntwo\r\n\nlast"
    for size in (1, 2, 3, 100):
        cutter = bulk_lines.Lines()
        found: list[bytes | None] = []
        for start in range(0, len(body), size):
            found += cutter.feed(body[start : start + size])
        found += cutter.end()
        if size > 3:
            assert found == [b"one", b"two\r", b"", b"last"]
        assert len(found) == 4
