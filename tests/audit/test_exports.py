"""Whole lists as files: Excel above all, formula-safe, masked, and written down."""

import asyncio
import csv
import io
import re
import zipfile
from datetime import date, timedelta
from xml.etree import ElementTree as ET

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlmodel import Session, col, select
from starlette.requests import ClientDisconnect
from starlette.types import Message

from app.clock import local_today
from app.db import Database
from app.models.base import new_id
from app.models.kernel.accounts import Account
from app.models.kernel.export_log import ExportRecord
from app.models.members.members import Member
from app.workbooks import streaming as workbook
from app.workbooks.formulas import guarded
from tests.helpers.answers import Json, refused
from tests.helpers.client import Api, counted, writing
from tests.helpers.reading import Reading

Ids = dict[str, int]
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
NS = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
TYPES = {"csv": "text/csv; charset=utf-8", "ndjson": "application/x-ndjson", "xlsx": XLSX}
FORMULAS = ("=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1+1")


class Sheet:
    """A sheet of a workbook as a spreadsheet reads it: its cells by row, and how each is kept."""

    def __init__(self, content: bytes, number: int = 1) -> None:
        self.book = zipfile.ZipFile(io.BytesIO(content))
        assert self.book.testzip() is None
        root = ET.fromstring(self.book.read(f"xl/worksheets/sheet{number}.xml"))
        self.root = root
        self.cells: list[dict[str, tuple[str, str]]] = []
        for place, row in enumerate(root.iterfind(".//m:row", NS), 1):
            assert row.get("r") == str(place)
            self.cells.append({})
            for cell in row:
                where = re.fullmatch(r"([A-Z]+)(\d+)", cell.get("r", ""))
                assert where is not None
                assert where[2] == str(place)
                assert cell.find("m:f", NS) is None  # a formula
                text = cell.find("m:is/m:t", NS)
                value = cell.find("m:v", NS)
                shown = text if text is not None else value
                assert shown is not None
                kind = cell.get("t", "n") + cell.get("s", "")
                self.cells[-1][where[1]] = (kind, shown.text or "")

    def rows(self) -> list[Json]:
        """By the names in the header; text unescaped as spreadsheets do it."""
        names = {letters: text for letters, (_, text) in self.cells[0].items()}
        return [
            {names[letters]: _read(text) for letters, (_, text) in row.items()}
            for row in self.cells[1:]
        ]

    def kinds(self, number: int) -> Json:
        names = {letters: text for letters, (_, text) in self.cells[0].items()}
        return {names[letters]: kind for letters, (kind, _) in self.cells[number].items()}


def _read(text: str) -> str:
    return re.sub("_x([0-9A-F]{4})_", lambda found: chr(int(found[1], 16)), text)


def day_of(serial: str) -> date:
    return date(1899, 12, 30) + timedelta(days=int(serial))


def as_fields(path: str) -> str:
    """Its columns are called as the fields are: what is compared is their contents."""
    return f"{path}{'&' if '?' in path else '?'}headings=api"


def xlsx(api: Api, path: str) -> Sheet:
    answer = api.get(as_fields(path), headers={"accept": XLSX})
    assert (answer.status_code, answer.headers["content-type"]) == (200, XLSX), answer.text
    return Sheet(answer.content)


def insert(session: Session, branch_id: int, names: list[str]) -> None:
    """Members as an import would leave them, whatever their names."""
    like = session.exec(select(Member).where(col(Member.branch_id) == branch_id).limit(1)).one()
    values = like.model_dump()
    rows = [
        values | {"id": new_id(), "full_name": name, "sort_key": f"{number:06d}", "phone": None}
        for number, name in enumerate(names)
    ]
    session.connection().execute(sa.insert(Member), rows)


def records(database: Database) -> list[ExportRecord]:
    with writing(database) as session:
        return list(session.exec(select(ExportRecord).order_by(col(ExportRecord.id))).all())


class TestAsWorkbook(Reading):
    def test_has_the_rows_of_the_list_in_its_order(self, officer: Api, unit_id: Ids) -> None:
        path = f"/v1/members?branch={unit_id['phuongvi-1']}"
        listed = officer.get(f"{path}&limit=200").json()["items"]
        rows = xlsx(officer, path).rows()
        assert [row["full_name"] for row in rows] == [item["full_name"] for item in listed]
        for row, item in zip(rows, listed, strict=True):
            told = {name: value for name, value in item.items() if value not in (None, [])}
            assert row.keys() == told.keys()  # an empty cell is none
            for name in ("id", "phone", "citizen_id", "ethnicity", "gender"):
                assert row.get(name) == item[name]
            assert row["branch_id"] == str(item["branch_id"])
            for name in ("birth_date", "joined_on"):
                whole = len(item[name] or "") == len("1968-05-17")
                assert (day_of(row[name]).isoformat() if whole else row.get(name)) == item[name]

    def test_keeps_text_as_text_and_days_as_days(self, officer: Api, unit_id: Ids) -> None:
        path = f"/v1/members?branch={unit_id['phuongvi-1']}"
        sheet = xlsx(officer, path)
        first = next(n for n, row in enumerate(sheet.rows(), 1) if "phone" in row)
        kinds = sheet.kinds(first)
        assert {kinds[name] for name in ("id", "full_name", "phone")} == {"inlineStr1"}
        assert kinds["branch_id"] == "n0"
        assert kinds["core"] == "b"
        styles = ET.fromstring(sheet.book.read("xl/styles.xml"))
        formats = [xf.get("numFmtId") for xf in styles.iterfind("m:cellXfs/m:xf", NS)]
        assert formats == ["0", "49", "164", "49"]  # 49 is "@": text also when it is edited

    def test_begins_with_a_bold_frozen_header(self, officer: Api) -> None:
        sheet = xlsx(officer, "/v1/units")
        listed = officer.get("/v1/units").json()["items"]
        names = [text for _, text in sheet.cells[0].values()]
        assert names == list(listed[0])
        assert {kind for kind, _ in sheet.cells[0].values()} == {"inlineStr3"}
        pane = sheet.root.find(".//m:pane", NS)
        assert pane is not None
        assert (pane.get("ySplit"), pane.get("state")) == ("1", "frozen")
        columns = sheet.root.findall(".//m:col", NS)
        assert len(columns) == len(names)
        assert {float(column.get("width", "0")) >= 10 for column in columns} == {True}

    def test_names_its_sheet_and_its_file(self, officer: Api, unit_id: Ids) -> None:
        path = f"/v1/units/{unit_id['phuongvi']}/children?format=xlsx"
        answer = officer.get(path)
        name = f"units-children-{local_today().isoformat()}.xlsx"
        assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
        book = zipfile.ZipFile(io.BytesIO(answer.content))
        assert b'<sheet name="units-children"' in book.read("xl/workbook.xml")
        for part in book.namelist():
            ET.fromstring(book.read(part))

    def test_of_nothing_is_a_header_alone(self, officer: Api) -> None:
        sheet = xlsx(officer, "/v1/members?status=deceased")
        assert len(sheet.cells) == 1
        assert "full_name" in [text for _, text in sheet.cells[0].values()]

    def test_has_the_chosen_fields_only(self, officer: Api, unit_id: Ids) -> None:
        sheet = xlsx(officer, f"/v1/members?branch={unit_id['phuongvi-1']}&fields=phone,full_name")
        assert [text for _, text in sheet.cells[0].values()] == ["full_name", "phone"]


class TestCells:
    def test_are_never_formulas(self, officer: Api, unit_id: Ids, database: Database) -> None:
        names = [*FORMULAS, "Hà Thị <b>&amp;", "Nguyễn Thị Ẩn", "_x0041_", "a\x0bb"]
        with writing(database) as session:
            insert(session, unit_id["phuongvi-1"], names)
        path = f"/v1/members?branch={unit_id['phuongvi-1']}"
        rows = xlsx(officer, path).rows()
        assert [row["full_name"] for row in rows[: len(names)]] == names
        text = officer.get(f"{path}&format=csv&headings=api").content.decode("utf-8-sig")
        lines = list(csv.DictReader(io.StringIO(text, newline="")))
        assert [line["full_name"] for line in lines[: len(FORMULAS)]] == [
            guarded(f) for f in FORMULAS
        ]

    def test_keep_leading_zeros_and_a_long_text(
        self, officer: Api, unit_id: Ids, database: Database
    ) -> None:
        one = officer.get(f"/v1/members?branch={unit_id['phuongvi-1']}&limit=1").json()["items"][0]
        body = {"citizen_id": "001188001234", "id_card": "012345678", "address": "Ấp " * 99}
        assert officer.patch(f"/v1/members/{one['id']}", json=body).status_code == 200
        [row] = [
            row
            for row in xlsx(officer, f"/v1/members?branch={unit_id['phuongvi-1']}").rows()
            if row["id"] == one["id"]
        ]
        assert (row["citizen_id"], row["id_card"]) == ("001188001234", "012345678")
        assert row["address"] == ("Ấp " * 99).strip()

    def test_stop_at_what_a_cell_holds(self) -> None:
        row = {"a": "x" * 40_000, "day": "1899-01-01", "b": 1.5, "c": None}
        pieces = workbook.workbook(dict(zip(row, row, strict=True)), {"day"}, [[row]], "t", str)
        [shown] = Sheet(b"".join(pieces)).rows()
        assert len(shown["a"]) == 32_767
        assert (shown["day"], shown["b"]) == ("1899-01-01", "1.5")

    def test_of_more_than_26_columns_are_lettered_as_excel_does(self) -> None:
        letters = [workbook._letters(place) for place in (0, 25, 26, 51, 52, 701, 702)]
        assert letters == ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]

    @pytest.mark.parametrize(
        ("rows", "sizes"), [(0, [0]), (3, [3]), (4, [3, 1]), (6, [3, 3]), (7, [3, 3, 1])]
    )
    def test_more_rows_than_a_sheet_holds_go_on_the_next(
        self, rows: int, sizes: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(workbook, "MOST_ROWS", 4)
        pages = [[{"a": str(n), "b": n} for n in range(rows)][i : i + 2] for i in range(0, rows, 2)]
        content = b"".join(workbook.workbook({"a": "a", "b": "b"}, (), pages, "members", str))
        sheets = [Sheet(content, number + 1).rows() for number in range(len(sizes))]
        assert [len(sheet) for sheet in sheets] == sizes
        assert [row["a"] for sheet in sheets for row in sheet] == [str(n) for n in range(rows)]
        book = zipfile.ZipFile(io.BytesIO(content))
        named = re.findall(r'<sheet name="([^"]+)"', book.read("xl/workbook.xml").decode())
        assert named == ["members", "members 2", "members 3"][: len(sizes)]


class TestMasks:
    def test_by_right_as_the_list_itself(
        self, api: Api, officer: Api, unit_id: Ids, database: Database
    ) -> None:
        path = f"/v1/members?branch={unit_id['phuongvi-1']}"
        one = officer.get(f"{path}&limit=1").json()["items"][0]["id"]
        body = {"religion": "catholic", "citizen_id": "025188001234"}
        assert officer.patch(f"/v1/members/{one}", json=body).status_code == 200

        def row_of(who: str) -> Json:
            [row] = [row for row in xlsx(api.as_(who), path).rows() if row["id"] == one]
            return row

        assert row_of("phuongvi")["religion"] == "catholic"
        assert "masked" not in row_of("phuongvi")
        for who in ("phuongvi-1", "auditor"):
            row = row_of(who)
            assert "religion" not in row
            assert "religion" in row["masked"].split()
        assert "citizen_id" not in row_of("auditor")
        assert "phone" not in row_of("auditor")


class TestForm(Reading):
    @pytest.mark.parametrize("form", ["csv", "ndjson", "xlsx"])
    def test_is_what_format_says_whatever_is_accepted(self, officer: Api, form: str) -> None:
        asked = officer.get(f"/v1/branches?format={form}", headers={"accept": "application/json"})
        assert asked.headers["content-type"] == TYPES[form]
        name = f"branches-{local_today().isoformat()}.{form}"
        assert asked.headers["content-disposition"] == f'attachment; filename="{name}"'
        accepted = officer.get("/v1/branches", headers={"accept": TYPES[form]})
        if form == "xlsx":  # the time is in a zip
            assert Sheet(accepted.content).cells == Sheet(asked.content).cells
        else:
            assert accepted.content == asked.content

    def test_json_is_a_page(self, officer: Api) -> None:
        answer = officer.get("/v1/branches?format=json&limit=2", headers={"accept": "text/csv"})
        assert answer.headers["content-type"] == "application/json"
        assert len(answer.json()["items"]) == 2
        assert "format=json" in answer.headers["link"]

    def test_unknown_is_refused(self, officer: Api) -> None:
        body = refused(officer.get("/v1/branches?format=pdf"), 422, "validation_failed")
        [error] = body["errors"]
        assert (error["pointer"], error["code"]) == ("/format", "not_in_list")

    def test_a_head_makes_no_file_and_no_record(self, officer: Api, database: Database) -> None:
        before = len(records(database))
        with counted(database) as statements:
            answer = officer.request("HEAD", "/v1/members?format=xlsx")
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-type"] == XLSX
        assert len([s for s in statements if "FROM member" in s]) == 1
        assert len(records(database)) == before

    def test_a_refusal_is_a_refusal_and_no_record(
        self, api: Api, officer: Api, database: Database
    ) -> None:
        before = len(records(database))
        refused(api.as_("admin").get("/v1/members?format=xlsx"), 403, "forbidden")
        refused(officer.get("/v1/members?format=xlsx&unit=999999"), 422, "validation_failed")
        refused(api.get("/v1/members?format=xlsx"), 401, "not_authenticated")
        assert len(records(database)) == before


class TestAudit:
    def test_says_who_took_what(self, officer: Api, unit_id: Ids, database: Database) -> None:
        branch = unit_id["phuongvi-1"]
        members = officer.get(f"/v1/members?branch={branch}&limit=200").json()["items"]
        answer = officer.get(f"/v1/members?branch={branch}&format=xlsx&fields=full_name,phone")
        [item] = officer.get("/v1/export-log").json()["items"]
        with writing(database) as session:
            account = session.exec(select(Account).where(col(Account.username) == "phuongvi")).one()
        assert item == {
            "id": item["id"],
            "at": item["at"],
            "account_id": str(account.id),
            "username": "phuongvi",
            "unit": {"id": unit_id["phuongvi"], "level": "commune", "name": "Xã Phượng Vĩ"},
            "path": "/v1/members",
            "filters": {"branch": branch},
            "fields": ["full_name", "phone"],
            "format": "xlsx",
            "rows": len(members),
            "finished_at": item["finished_at"],
            "request_id": answer.headers["x-request-id"],
        }
        assert item["at"] < item["finished_at"]

    def test_keeps_no_number_somebody_was_searched_by(
        self, officer: Api, database: Database
    ) -> None:
        for q in ("025188001234", "hoa 1234", "①②③④", "hoa １２ ３４", "nguyen thi hoa"):
            officer.get("/v1/members", params={"q": q, "format": "csv"})
        kept = [record.filters["q"] for record in records(database)]
        assert kept == ["…", "…", "…", "…", "nguyen thi hoa"]

    def test_each_sees_her_own_and_those_of_her_accounts(
        self, api: Api, officer: Api, unit_id: Ids
    ) -> None:
        takers = ("phuongvi-1", "phuongvi", "tienluong", "auditor")
        for who in takers:
            api.as_(who).get("/v1/members?q=hoa&format=csv")

        def seen(who: str) -> list[tuple[str, str]]:
            items = api.as_(who).get("/v1/export-log").json()["items"]
            return [(item["username"], item["filters"]["q"]) for item in items]

        assert seen("phuongvi") == [("phuongvi", "hoa"), ("phuongvi-1", "hoa")]
        assert seen("phuongvi-1") == [("phuongvi-1", "hoa")]
        assert seen("camkhe") == [(who, "hoa") for who in ("tienluong", "phuongvi", "phuongvi-1")]
        # She may read what changed everywhere, and the name of no member.
        assert seen("admin") == [(who, "…") for who in reversed(takers)]
        assert seen("member") == []
        refused(api.get("/v1/export-log"), 401, "not_authenticated")

    def test_pages_the_newest_first_with_one_question(
        self, officer: Api, database: Database
    ) -> None:
        for form in ("csv", "ndjson", "xlsx"):
            officer.get(f"/v1/branches?format={form}")
        first = officer.get("/v1/export-log?limit=2").json()
        rest = officer.get(f"/v1/export-log?limit=2&cursor={first['next_cursor']}").json()
        found = [item["format"] for item in first["items"] + rest["items"]]
        assert (found, rest["next_cursor"]) == (["xlsx", "ndjson", "csv"], None)
        with counted(database) as statements:
            officer.get("/v1/export-log")
        assert len([s for s in statements if "FROM export_record" in s]) == 1

    @pytest.mark.parametrize("form", ["csv", "xlsx"])
    def test_is_written_before_the_first_byte_and_says_what_was_broken_off(
        self, officer: Api, app: FastAPI, unit_id: Ids, database: Database, form: str
    ) -> None:
        with writing(database) as session:
            insert(session, unit_id["phuongvi-1"], [f"Hà Thị {n}" for n in range(3_000)])
        seen: list[tuple[int, bool]] = []

        async def send(message: Message) -> None:
            if message["type"] == "http.response.body":
                [record] = records(database)
                seen.append((len(message["body"]), record.finished_at is None))
                raise ClientDisconnect  # she pulls the plug

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/v1/members",
            "raw_path": b"/v1/members",
            "root_path": "",
            "query_string": f"format={form}".encode(),
            "headers": [(b"authorization", officer.headers["authorization"].encode())],
            "client": ("127.0.0.1", 1),
            "server": ("testserver", 80),
            "state": {},
        }
        asyncio.run(app(scope, receive, send))
        [record] = records(database)
        assert (record.rows, record.finished_at) == (None, None)
        assert len(seen) == 1
        assert seen[0][0] > 0
        assert seen[0][1]

    def test_streams_a_list_of_any_length_in_pieces(
        self, officer: Api, unit_id: Ids, database: Database
    ) -> None:
        with writing(database) as session:
            insert(session, unit_id["phuongvi-1"], [f"Hà Thị {n}" for n in range(1_200)])
        with counted(database) as statements:
            answer = officer.get("/v1/members?format=xlsx&fields=full_name")
        rows = Sheet(answer.content).rows()
        assert 1_200 < len(rows) <= 1_500
        assert len([s for s in statements if "FROM member" in s]) == 3  # five hundred a time
        [record] = records(database)
        assert record.rows == len(rows)
