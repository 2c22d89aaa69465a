"""What a unit chose for a list is taken for its next list of the same shape, shown, and forgotten."""

from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import col

from app.db import Database
from app.models.base import new_id
from app.models.imports.imports import Import
from app.models.imports.memory import ImportMemory
from app.models.kernel.changes import Change, ChangeSource
from app.services.imports import memory
from app.services.kernel import changes
from app.services.kernel.holdings import Person
from tests.helpers.answers import Json, pointed, refused
from tests.helpers.cadres import Ids, done
from tests.helpers.client import Api, writing
from tests.imports.test_import_left_out import changed
from tests.imports.test_imports import HEADER, Work, previewed, rows_of, summary, women, xlsx

MEMORIES = "/v1/import-memories"
NAMED = ["Họ và tên", "Ngày sinh", "Tổ", "Điện thoại", "Học vấn", "Ghi thêm"]


def strange(start: int) -> list[list[Any]]:
    """Rows of NAMED that need decisions: what "Tổ" is, what "Đội Mận" is, wrong phones, days with the
    month first, a level of schooling that nobody knows."""
    rows = []
    for name, _, _, phone, _ in women(3, start=start):
        rows.append([name, "05/17/1968", "Đội Mận", phone, "sơ đẳng", ""])
    rows[0][3] = "12"
    return rows


@pytest.fixture
def chosen(unit_id: Ids) -> Json:
    return {
        "mapping": {"branch": "C"},
        "meanings": {
            "branch": {"Đội Mận": unit_id["phuongvi-2"]},
            "education": {"sơ đẳng": "primary"},
        },
        "leave_out": {"fields": ["phone"]},
        "day_order": "month_first",
        "first_day": True,
    }


def remembered(api: Api) -> list[Json]:
    items: list[Json] = done(api.get(MEMORIES))["items"]
    return items


class TestASecondFile:
    def test_needs_no_decision_that_was_taken_for_the_first(
        self, officer: Api, work: Work, unit_id: Ids, chosen: Json
    ) -> None:
        unit = unit_id["phuongvi"]
        first = previewed(officer, work, unit, xlsx(NAMED, strange(0)))
        assert (first["summary"], first["remembered"]) == (summary(error=3), None)
        first = changed(officer, work, first, **chosen)
        assert first["summary"] == summary(created=3), rows_of(officer, first["id"])
        assert first["remembered"] is None
        # The same headers in another order, written in capitals; other women.
        turned = [list(reversed(row)) for row in strange(5)]
        header = [name.upper() for name in reversed(NAMED)]
        second = previewed(officer, work, unit, xlsx(header, turned))
        assert second["summary"] == summary(created=3), rows_of(officer, second["id"])
        [kept] = remembered(officer)
        assert second["remembered"] == {
            "memory_ids": [kept["id"]],
            "columns": ["D"],
            "options": ["first_day", "leave_out", "day_order"],
            "meanings": kept["meanings"],
        }
        rows = rows_of(officer, second["id"])
        assert [row["values"]["birth_date"] for row in rows] == ["1968-05-17"] * 3
        assert {row["values"]["branch_id"] for row in rows} == {unit_id["phuongvi-2"]}
        assert {row["values"]["education"] for row in rows} == {"primary"}
        # Each cell that was read as something else has a sign beside it.
        signs = [(p["column"], p["code"], p["level"]) for p in rows[0]["problems"]]
        assert ("B", "meaning_chosen", "warning") in signs
        assert ("D", "meaning_chosen", "warning") in signs

    def test_of_another_shape_is_read_by_the_names_of_columns_alone(
        self, officer: Api, work: Work, unit_id: Ids, chosen: Json
    ) -> None:
        unit = unit_id["phuongvi"]
        changed(officer, work, previewed(officer, work, unit, xlsx(NAMED, strange(0))), **chosen)
        longer = [[*row, "x"] for row in strange(5)]
        item = previewed(officer, work, unit, xlsx([*NAMED, "Nòng cốt"], longer))
        assert item["summary"] == summary(error=3)
        assert item["columns"][2]["reason"] == "remembered"
        assert (item["remembered"]["columns"], item["remembered"]["options"]) == (["C"], [])

    def test_of_another_unit_is_read_as_the_first_of_its_kind(
        self, api: Api, officer: Api, work: Work, unit_id: Ids, chosen: Json
    ) -> None:
        unit = unit_id["phuongvi"]
        changed(officer, work, previewed(officer, work, unit, xlsx(NAMED, strange(0))), **chosen)
        other = api.as_("tienluong")
        item = previewed(other, work, unit_id["tienluong"], xlsx(NAMED, strange(0)))
        assert (item["summary"], item["remembered"]) == (summary(error=3), None)
        assert remembered(other) == []

    def test_may_be_read_otherwise(
        self, officer: Api, work: Work, unit_id: Ids, chosen: Json
    ) -> None:
        """What is chosen for a list wins, and is what is remembered from then on."""
        unit = unit_id["phuongvi"]
        changed(officer, work, previewed(officer, work, unit, xlsx(NAMED, strange(0))), **chosen)
        item = previewed(officer, work, unit, xlsx(NAMED, strange(5)))
        other = {"leave_out": {}, "meanings": {"branch": {"Đội Mận": None}}}
        item = changed(officer, work, item, **other)
        assert item["summary"] == summary(error=3)
        assert item["remembered"]["options"] == ["first_day", "day_order"]
        [kept] = remembered(officer)
        assert kept["leave_out"] == {"fields": [], "codes": []}
        assert [each["field"] for each in kept["meanings"]] == ["education"]

    def test_is_decided_anew_who_is_who(self, officer: Api, work: Work, unit_id: Ids) -> None:
        """Not how the list is written: what is on record, and rows that may not count."""
        unit = unit_id["phuongvi"]
        item = previewed(officer, work, unit, xlsx(HEADER, women(1)))
        decided = {"accept": ["row_struck_out", "citizen_id_zero_lost"]}
        changed(officer, work, item, **decided, duplicates="update", empty_cells="clear")
        item = previewed(officer, work, unit, xlsx(HEADER, women(1, start=3)))
        assert item["options"]["accept"] == ["citizen_id_zero_lost"]
        assert (item["options"]["duplicates"], item["options"]["empty_cells"]) == ("hold", "keep")


def test_a_column_that_is_not_read_is_said_and_read_by_one_click(
    officer: Api, work: Work, unit_id: Ids
) -> None:
    unit = unit_id["phuongvi"]
    item = previewed(officer, work, unit, xlsx(HEADER, women(2)))
    changed(officer, work, item, mapping={"phone": None})
    later = previewed(officer, work, unit, xlsx([*HEADER, "Ghi chú"], [[*women(1)[0], ""]]))
    phone = later["columns"][3]
    assert (phone["field"], phone["reason"], phone["unread_field"]) == (
        None,
        "remembered",
        "phone",
    )
    assert later["remembered"]["columns"] == ["D"]
    [step] = [each for each in later["next_steps"] if "Điện thoại" in each["text_vi"]]
    assert step["request"]["body"] == {"mapping": {"phone": "D"}}
    answer = officer.patch(step["request"]["path"], json=step["request"]["body"])
    assert answer.status_code == 200
    work()
    later = done(officer.get(f"/v1/imports/{later['id']}"))
    assert later["columns"][3]["field"] == "phone"
    assert later["remembered"] is None
    again = previewed(officer, work, unit, xlsx(HEADER, women(1)))
    assert again["columns"][3]["field"] is None  # of the first shape it is still as chosen then


class TestShownAndForgotten:
    def test_is_audited_and_gone(
        self, officer: Api, database: Database, work: Work, unit_id: Ids, chosen: Json
    ) -> None:
        unit = unit_id["phuongvi"]
        item = previewed(officer, work, unit, xlsx(NAMED, strange(0)))
        changed(officer, work, item, **chosen)
        [kept] = remembered(officer)
        assert (kept["kind"], kept["unit"]["id"], kept["headers"]) == ("members", unit, NAMED)
        assert kept["columns"] == [{"header": "Tổ", "field": "branch"}]
        assert (kept["day_order"], kept["accept"]) == ("month_first", None)
        assert done(officer.get(f"{MEMORIES}?unit={unit_id['phuongvi-1']}"))["items"] == []
        assert done(officer.get(f"{MEMORIES}?kind=households"))["items"] == []
        path = f"{MEMORIES}/{kept['id']}"
        refused(officer.delete(path, headers={"if-match": '"9"'}), 412, "stale_revision")
        assert officer.delete(path).status_code == 204
        assert remembered(officer) == []
        again = previewed(officer, work, unit, xlsx(NAMED, strange(5)))
        assert (again["summary"], again["remembered"]) == (summary(error=3), None)
        with writing(database) as session:
            logged = session.execute(
                sa.select(col(Change.operation), col(Change.source_ref), col(Change.before))
                .where(col(Change.entity) == "import_memory")
                .order_by(col(Change.at))
            ).all()
        assert [each[0].value for each in logged] == ["created", "deleted"]
        assert logged[0][1] == f"import {item['id']}"
        assert logged[1][2]["meanings"] == "set"

    def test_nobody_else_sees_it(
        self, api: Api, officer: Api, work: Work, unit_id: Ids, chosen: Json
    ) -> None:
        item = previewed(officer, work, unit_id["phuongvi"], xlsx(NAMED, strange(0)))
        changed(officer, work, item, **chosen)
        [kept] = remembered(officer)
        for name in ("tienluong", "phuongvi-1", "auditor"):
            reader = api.as_(name)
            assert remembered(reader) == []
            refused(reader.delete(f"{MEMORIES}/{kept['id']}"), 404, "not_found")
        refused(officer.delete(f"{MEMORIES}/{new_id()}"), 404, "not_found")
        assert remembered(officer) == [kept]

    def test_an_erasure_takes_out_what_names_the_person(
        self, officer: Api, database: Database, work: Work, unit_id: Ids
    ) -> None:
        item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, women(1)))
        said = {"Tổ bà Khổng Thị Bưởi": unit_id["phuongvi-1"], "Tổ 2": unit_id["phuongvi-2"]}
        changed(officer, work, item, meanings={"branch": said})
        person = Person(
            new_id(), (), (), (), (), frozenset({"Khổng Thị Bưởi"}), frozenset({"1970"})
        )
        with writing(database) as session:
            changes.attribute(session, changes.Origin(source=ChangeSource.cli))
            assert memory.forget_about(session, [person]) == {ImportMemory: 1}
        [kept] = remembered(officer)
        assert [each["written"] for each in kept["meanings"]] == ["Tổ 2"]


@pytest.mark.parametrize(
    ("meanings", "where", "code"),
    [
        ({"phone": {"x": "y"}}, "phone", "not_in_list"),
        ({"nothing": {"x": "y"}}, "nothing", "not_in_list"),
        ({"education": {"a/b": "no_such_level"}}, "education/a~1b", "not_in_list"),
        ({"education": {"x": 1}}, "education/x", "not_in_list"),
        ({"branch": {"x": 999_999}}, "branch/x", "unit_unknown"),
        ({"branch": {"x": "tienluong-1"}}, "branch/x", "unit_unknown"),
    ],
)
def test_meanings_are_units_and_codes_there_are(
    officer: Api,
    database: Database,
    work: Work,
    unit_id: Ids,
    meanings: Json,
    where: str,
    code: str,
) -> None:
    item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEADER, women(1)))
    sent = {
        field: {text: unit_id.get(str(meant), meant) for text, meant in said.items()}
        for field, said in meanings.items()
    }
    before = _stored(database)
    answer = officer.patch(f"/v1/imports/{item['id']}", json={"meanings": sent})
    pointed(answer, f"/meanings/{where}", code)
    assert _stored(database) == before


def _stored(database: Database) -> Sequence[Any]:
    with writing(database) as session:
        return session.execute(sa.select(col(Import.revision), col(Import.meanings))).all()


def test_days_with_the_month_first(officer: Api, work: Work, unit_id: Ids) -> None:
    """One is plain, the other might be read both ways: the order is said once for the list."""
    rows = [["Khổng Thị Hà", "05/17/1968", "Khu 1"], ["Khổng Thị Lê", "03/04/1970", "Khu 1"]]
    header = ["Họ và tên", "Ngày sinh", "Chi hội"]
    item = previewed(officer, work, unit_id["phuongvi"], xlsx(header, rows))
    bodies = [each["request"]["body"] for each in item["next_steps"]]
    assert {"day_order": "month_first"} in bodies
    item = changed(officer, work, item, day_order="month_first")
    born = [row["values"]["birth_date"] for row in rows_of(officer, item["id"])]
    assert born == ["1968-05-17", "1970-03-04"]


def test_of_two_lists_at_a_time_both_are_remembered(
    officer: Api, database: Database, work: Work, unit_id: Ids, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second finds nothing, and what the first has kept when it comes to write."""
    unit, asked = unit_id["phuongvi"], memory._held
    item = previewed(officer, work, unit, xlsx(HEADER, women(1)))
    changed(officer, work, item, first_day=True)
    blind = iter([True])
    monkeypatch.setattr(memory, "_held", lambda *told: None if next(blind, False) else asked(*told))
    item = previewed(officer, work, unit, xlsx(HEADER, women(1)))
    changed(officer, work, item, leave_out={"fields": ["phone"]})
    [kept] = remembered(officer)
    assert (kept["first_day"], kept["leave_out"]["fields"]) == (True, ["phone"])
