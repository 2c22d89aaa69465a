"""Imports: a list comes in as people keep it, is shown, corrected, applied once, taken back."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
import sqlalchemy as sa
import xlsxwriter
from sqlmodel import col, select

from app.api.http.server import serving
from app.db import Database
from app.models.imports.imports import ImportPart
from app.models.imports.rows import ImportRow
from app.models.kernel.changes import Change
from app.models.members.members import Member, MemberIdentifier
from app.models.members.spells import Membership
from app.services.kernel.limits import Limit
from app.services.members import elsewhere
from tests.helpers.answers import Json, pointed, refused
from tests.helpers.cadres import Ids, done, forbidden
from tests.helpers.client import Api, writing
from tests.helpers.tables import OF_IMPORTS, changed, everything

Work = Callable[[], int]
HEADER = ["Họ và tên", "Ngày sinh", "Chi hội", "Điện thoại", "Số CCCD"]
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def xlsx(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    made = io.BytesIO()
    with xlsxwriter.Workbook(made, {"in_memory": True}) as book:
        sheet = book.add_worksheet("Danh sách")
        for number, row in enumerate([header, *rows]):
            for place, value in enumerate(row):
                if isinstance(value, str):
                    sheet.write_string(number, place, value)
                else:
                    sheet.write(number, place, value)
    return made.getvalue()


def csv_file(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([header, *rows])
    return text.getvalue().encode()


def women(count: int, branch: str = "Chi hội khu 1", start: int = 0) -> list[list[str]]:
    """Rows of HEADER, each somebody else."""
    words = ("Hà", "Liên", "Mận", "Đào", "Nga", "Tuyết", "Vân", "Yến", "Bưởi", "Cúc")
    rows = []
    for n in range(start, start + count):
        name = f"Khổng {words[n // 100 % 10]} {words[n // 10 % 10]} {words[n % 10]}"
        born = f"{n % 27 + 1:02}/{n % 12 + 1:02}/{1950 + n % 50}"
        rows.append([name, born, branch, f"0987{n:06}", ""])
    return rows


def send(api: Api, unit: int, content: bytes, name: str = "ds.xlsx", **query: Any) -> Any:
    asked = "".join(f"&{key}={value}" for key, value in query.items())
    return api.post(
        f"/v1/imports?kind=members&unit={unit}{asked}",
        content=content,
        headers={
            "content-type": XLSX,
            "content-disposition": f"attachment; filename*=UTF-8''{quote(name)}",
        },
    )


def previewed(api: Api, work: Work, unit: int, content: bytes, **more: Any) -> Json:
    answer = send(api, unit, content, **more)
    assert answer.status_code == 201, answer.text
    assert answer.json()["state"] == "reading"
    work()
    return done(api.get(answer.headers["location"]))


def applied(api: Api, work: Work, import_id: str, **body: Any) -> Json:
    answer = api.post(f"/v1/imports/{import_id}/apply", json=body)
    assert answer.status_code == 202, answer.text
    work()
    job = done(api.get(answer.headers["location"]))
    assert job["state"] == "done", job
    return done(api.get(f"/v1/imports/{import_id}"))


def rows_of(api: Api, import_id: str, query: str = "") -> list[Json]:
    items: list[Json] = done(api.get(f"/v1/imports/{import_id}/rows?limit=200{query}"))["items"]
    return items


def summary(**counts: int) -> Mapping[str, int]:
    names = ("created", "updated", "same", "duplicate", "error", "skipped")
    return dict.fromkeys(names, 0) | counts


def everyone(database: Database) -> dict[UUID, dict[str, Any]]:
    with writing(database) as session:
        members = session.exec(select(Member)).all()
        return {member.id: member.model_dump() for member in members}


class TestUpload:
    def test_is_read_compared_and_writes_nothing(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        before = everyone(database)
        rows = [*women(3), ["", "1960", "Chi hội khu 1", "", ""], ["Lê Hà", "x", "Khu 99", "", ""]]
        item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, rows))
        assert (item["state"], item["sheet"], item["header_row"]) == ("ready", "Danh sách", 1)
        assert item["summary"] == summary(created=3, error=2)
        assert {c["letter"]: c["field"] for c in item["columns"]} == {
            "A": "full_name",
            "B": "birth_date",
            "C": "branch",
            "D": "phone",
            "E": "citizen_id",
        }
        by_unit = {of["unit"] and of["unit"]["id"]: of for of in item["by_unit"]}
        assert by_unit[unit_id["phuongvi-1"]]["created"] == 3
        assert by_unit[None]["error"] == 1
        assert everyone(database) == before

    def test_rows_beyond_the_budget_say_that_they_were_not_compared_elsewhere(
        self, officer: Api, unit_id: Ids, work: Work, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(elsewhere, "_PEOPLE", Limit.of("look", "1 per hour"))
        done(officer.post("/v1/members/match", json={"full_name": "Lê Thị Ai"}))
        item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, women(2)))
        for row in rows_of(officer, item["id"]):
            assert "not_compared_elsewhere" in {each["code"] for each in row["problems"]}

    def test_errors_say_cell_value_code_and_what_to_write(
        self, officer: Api, unit_id: Ids, work: Work
    ) -> None:
        rows = [*women(1), ["Lê Thị Hà", "31/02/1960", "Khu 99", "12", "25168001234"]]
        item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, rows))
        [row] = rows_of(officer, item["id"], "&outcome=error")
        assert (row["number"], row["name"], row["entity_id"]) == (3, "Lê Thị Hà", None)
        found = {p["column"]: p for p in row["problems"]}
        assert {letter: p["code"] for letter, p in found.items()} == {
            "B": "date_unread",
            "C": "unit_unknown",
            "D": "phone_invalid",
            "E": "citizen_id_zero_lost",
        }
        assert found["E"]["value"] == "25168001234"
        assert found["E"]["proposal"] == "025168001234"
        assert found["E"]["text_vi"] != found["E"]["text_en"]

    def test_of_a_form_is_the_same(self, officer: Api, unit_id: Ids, work: Work) -> None:
        content = xlsx(HEADER, women(2))
        answer = officer.post(
            f"/v1/imports?kind=members&unit={unit_id['phuongvi']}",
            files={"file": ("C:\\ds\\Hội viên.xlsx", content, XLSX)},
        )
        assert answer.status_code == 201
        assert answer.json()["file_name"] == "Hội viên.xlsx"
        work()
        item = done(officer.get(answer.headers["location"]))
        assert item["summary"] == summary(created=2)

    def test_is_sealed_at_rest(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        content = csv_file(HEADER, women(2))
        previewed(officer, work, unit_id["phuongvi"], content, name="ds.csv")
        with database.reading() as db:
            for model in (ImportPart, ImportRow):
                stored = sa.select(sa.type_coerce(col(model.content), sa.Text))
                for text in db.execute(stored).scalars():
                    assert "Khổng" not in text
                    assert "0987" not in text

    @pytest.mark.parametrize(
        ("content", "code"),
        [
            (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "import_not_a_workbook"),
            (csv_file(HEADER, []), "import_no_rows"),
        ],
    )
    def test_that_cannot_be_read_says_why(
        self, officer: Api, unit_id: Ids, work: Work, content: bytes, code: str
    ) -> None:
        item = previewed(officer, work, unit_id["phuongvi"], content)
        assert (item["state"], item["problem"]["code"]) == ("refused", code)
        assert item["job"]["problem"]["code"] == code
        refused(officer.post(f"/v1/imports/{item['id']}/apply", json={}), 409, "import_not_ready")

    def test_of_nothing_is_refused_at_once(self, officer: Api, unit_id: Ids) -> None:
        refused(send(officer, unit_id["phuongvi"], b""), 422, "import_empty")

    def test_needs_a_known_kind_and_a_unit_in_sight(
        self, officer: Api, api: Api, unit_id: Ids
    ) -> None:
        answer = officer.post(f"/v1/imports?kind=cats&unit={unit_id['phuongvi']}", content=b"x")
        pointed(answer, "/kind", "not_in_list")
        pointed(send(officer, unit_id["tienluong"], b"x"), "/unit", "unit_unknown")
        pointed(send(officer, 10**9, b"x"), "/unit", "unit_unknown")
        forbidden(send(api.as_("auditor"), unit_id["phuongvi"], b"x"), "members:write")

    def test_too_large_is_refused_and_larger_than_other_bodies_is_not(
        self, officer: Api, app: Any, unit_id: Ids
    ) -> None:
        limit = serving(app).settings.import_max_bytes
        refused(send(officer, unit_id["phuongvi"], b"x" * (limit + 1)), 413, "body_too_large")
        body = b"x" * (serving(app).settings.max_body_bytes + 1)
        assert send(officer, unit_id["phuongvi"], body).status_code == 201

    def test_sent_again_with_its_key_is_one_import(self, officer: Api, unit_id: Ids) -> None:
        content, url = (
            xlsx(HEADER, women(1)),
            f"/v1/imports?kind=members&unit={unit_id['phuongvi']}",
        )
        headers = {"idempotency-key": "one", "content-type": XLSX}
        first, again = (officer.post(url, content=content, headers=headers) for _ in range(2))
        assert first.json()["id"] == again.json()["id"]
        assert again.headers["idempotent-replayed"] == "true"
        assert len(done(officer.get("/v1/imports"))["items"]) == 1


class TestScope:
    def test_is_seen_by_its_uploader_and_those_who_write_there(
        self, api: Api, officer: Api, unit_id: Ids, work: Work
    ) -> None:
        item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, women(1)))
        url = f"/v1/imports/{item['id']}"
        for who in ("phuongvi", "camkhe", "phutho"):
            assert done(api.as_(who).get(url))["id"] == item["id"]
            assert len(rows_of(api.as_(who), item["id"])) == 1
        for who in ("tienluong", "phuongvi-1"):
            for path in ("", "/rows", "/file", "/errors-file"):
                refused(api.as_(who).get(url + path), 404, "not_found")
            refused(api.as_(who).patch(url, json={}), 404, "not_found")
            refused(api.as_(who).post(url + "/apply", json={}), 404, "not_found")
            refused(api.as_(who).post(url + "/undo"), 404, "not_found")
            assert done(api.as_(who).get("/v1/imports"))["items"] == []
        forbidden(api.as_("auditor").get(url), "members:write")

    def test_a_branch_head_imports_her_own_branch_and_no_other(
        self, api: Api, unit_id: Ids, work: Work
    ) -> None:
        head = api.as_("phuongvi-1")
        rows = [*women(2), *women(1, "Chi hội khu 2", 2), *women(1, "", 3)]
        item = previewed(head, work, unit_id["phuongvi-1"], xlsx(HEADER, rows))
        assert item["summary"] == summary(created=3, error=1)
        [row] = rows_of(head, item["id"], "&outcome=error")
        assert [(p["column"], p["code"]) for p in row["problems"]] == [("C", "unit_unknown")]
        pointed(send(head, unit_id["phuongvi-2"], b"x"), "/unit", "unit_unknown")


class TestApply:
    def test_makes_members_as_the_form_does(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        before = everyone(database)
        rows = women(60)
        rows[0][4] = "025150001234"
        item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, rows))
        assert item["summary"] == summary(created=60)
        item = applied(officer, work, item["id"])
        assert (item["state"], item["summary"]) == ("applied", summary(created=60))
        new = {i: m for i, m in everyone(database).items() if i not in before}
        assert len(new) == 60
        first = next(m for m in new.values() if m["phone"] == "+84987000000")
        assert (first["full_name"], first["birth_date"]) == ("Khổng Hà Hà Hà", "1950-01-01")
        assert (first["branch_id"], first["commune_id"]) == (
            unit_id["phuongvi-1"],
            unit_id["phuongvi"],
        )
        assert first["province_id"] == unit_id["phutho"]
        with writing(database) as session:
            spells = session.exec(
                select(Membership).where(col(Membership.member_id).in_(new))
            ).all()
            assert len(spells) == 60
            assert {s.valid_to for s in spells} == {None}
            digests = session.exec(
                select(MemberIdentifier).where(col(MemberIdentifier.member_id) == first["id"])
            ).all()
            assert {d.kind.value for d in digests} == {"phone", "citizen_id"}
            change = session.exec(
                select(Change).where(
                    col(Change.entity_id) == str(first["id"]), col(Change.entity) == "member"
                )
            ).one()
        assert change.source.value == "import"
        assert change.source_ref == f"import {item['id']} row 2: ds.xlsx"
        assert change.account_id is not None
        found = done(officer.get("/v1/members?q=khong+ha+ha+ha"))["items"]
        assert str(first["id"]) in [m["id"] for m in found]
        count = done(officer.get(f"/v1/members/count?unit={unit_id['phuongvi-1']}"))
        assert count["people"] >= 60

    def test_row_by_row_leaves_out_what_is_wrong_and_atomic_nothing(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        before = len(everyone(database))
        rows = [*women(3), ["Lê Hà", "x", "Chi hội khu 1", "", ""]]
        item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, rows))
        url = f"/v1/imports/{item['id']}/apply"
        refused(officer.post(url, json={"atomic": True}), 409, "import_has_errors")
        assert len(everyone(database)) == before
        item = applied(officer, work, item["id"])
        assert item["summary"] == summary(created=3, error=1)
        assert len(everyone(database)) == before + 3

    def test_atomic_writes_all(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        before = len(everyone(database))
        item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, women(3)))
        applied(officer, work, item["id"], atomic=True)
        assert len(everyone(database)) == before + 3

    def test_comes_after_the_preview_and_once(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        answer = send(officer, unit_id["phuongvi"], xlsx(HEADER, women(2)))
        url = answer.headers["location"]
        refused(officer.post(f"{url}/apply", json={}), 409, "import_not_ready")
        work()
        before = len(everyone(database))
        assert officer.post(f"{url}/apply", json={}).status_code == 202
        refused(officer.post(f"{url}/apply", json={}), 409, "import_not_ready")
        work()
        refused(officer.post(f"{url}/apply", json={}), 409, "import_not_ready")
        assert work() == 0
        assert len(everyone(database)) == before + 2

    def test_updates_only_what_the_file_says_differently(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        exported = officer.get(
            f"/v1/members?branch={unit_id['phuongvi-1']}&format=csv&headings=api"
        ).content
        table = list(csv.reader(io.StringIO(exported.decode("utf-8-sig"))))
        header, rows = table[0], table[1:6]
        phone, address = header.index("phone"), header.index("address")
        rows[0][phone], rows[1][address] = "0911222333", ""
        before = everyone(database)
        content = csv_file(header, rows)
        item = previewed(officer, work, unit_id["phuongvi"], content, name="ra.csv")
        assert item["summary"] == summary(updated=1, same=4)
        [row] = rows_of(officer, item["id"], "&outcome=updated")
        assert (row["entity_id"], row["changed"]) == (rows[0][0], ["phone"])
        applied(officer, work, item["id"])
        after = everyone(database)
        changed = UUID(rows[0][0])
        assert after[changed]["phone"] == "+84911222333"
        assert after[changed]["revision"] == before[changed]["revision"] + 1
        assert {i: m for i, m in after.items() if i != changed} == {
            i: m for i, m in before.items() if i != changed
        }
        found = done(officer.get("/v1/members?q=0911222333"))["items"]
        assert [m["id"] for m in found] == [str(changed)]


class TestUndo:
    def test_takes_everything_back(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        before = everyone(database)
        known = next(m for m in before.values() if m["branch_id"] == unit_id["phuongvi-1"])
        rows = [[*row, ""] for row in women(60)]
        rows.append(
            [known["full_name"], known["birth_date"], "Chi hội khu 1", "0911222333", "", ""]
        )
        rows[-1][5] = str(known["id"])
        whole = everything(database, *OF_IMPORTS)
        item = previewed(officer, work, unit_id["phuongvi"], xlsx([*HEADER, "Mã"], rows))
        assert item["summary"] == summary(created=60, updated=1)
        applied(officer, work, item["id"])
        assert len(everyone(database)) == len(before) + 60
        answer = officer.post(f"/v1/imports/{item['id']}/undo")
        assert answer.status_code == 202
        work()
        assert done(officer.get(answer.headers["location"]))["result"]["undone"] == 61
        assert done(officer.get(f"/v1/imports/{item['id']}"))["state"] == "undone"
        assert changed(whole, everything(database, *OF_IMPORTS)) == {}
        with writing(database) as session:
            ends = session.exec(select(Change).where(col(Change.operation) == "deleted")).all()
        assert {(c.entity, c.source.value) for c in ends} == {
            ("member", "import"),
            ("membership", "import"),
        }
        refused(officer.post(f"/v1/imports/{item['id']}/undo"), 409, "import_not_applied")

    def test_tells_what_stands_in_the_way_and_undoes_nothing(
        self, officer: Api, database: Database, unit_id: Ids, work: Work
    ) -> None:
        item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, women(3)))
        applied(officer, work, item["id"])
        rows = rows_of(officer, item["id"])
        members = [row["entity_id"] for row in rows]
        assert officer.patch(f"/v1/members/{members[0]}", json={"phone": None}).status_code == 200
        answer = officer.post(f"/v1/members/{members[1]}/departures", json={"reason": "moved_away"})
        assert answer.status_code == 201, answer.text
        count = len(everyone(database))
        body = refused(officer.post(f"/v1/imports/{item['id']}/undo"), 409, "import_touched")
        assert [(o["number"], o["entity_id"]) for o in body["obstacles"]] == [
            (2, members[0]),
            (3, members[1]),
        ]
        assert body["obstacles"][0]["code"] == "record_changed"
        assert work() == 0
        assert len(everyone(database)) == count
