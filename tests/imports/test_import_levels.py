"""Lists whose columns mix what are two fields of a record, or say a value in a note."""

from tests.helpers.cadres import Ids, done
from tests.helpers.client import Api
from tests.imports.test_import_left_out import changed
from tests.imports.test_imports import Work, applied, previewed, rows_of, summary, xlsx

HEAD = ["Họ và tên", "Ngày sinh", "Chi hội", "Trình độ", "Ghi chú"]
WOMEN: list[list[object]] = [
    ["Khổng Thị Hà (Hùng)", "17/05/1968", "khu 1 PV", "12/12, ĐH Sư phạm", "Đảng viên"],
    ["Khổng Thị Lan", "18/05/1968", "Khu 1", "9/12", None],
    ["Khổng Thị Mai", "19/05/1968", "Khu 1", "Trung cấp", None],
    ["Khổng Thị Na", "20/05/1968", "Khu 1", "THPT", None],
    ["Khổng Thị Sen (hùng)", "21/05/1968", "Khu 1", "thợ may", None],
    ["Khổng Thị Tươi", "22/05/1968", "Khu 1", "7/10", None],
]


def test_each_value_is_stored_in_its_field(officer: Api, work: Work, unit_id: Ids) -> None:
    item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEAD, WOMEN))
    assert item["summary"] == summary(created=5, error=1)
    applied(officer, work, item["id"])
    stored = [
        done(officer.get(f"/v1/members/{row['entity_id']}"))
        for row in rows_of(officer, item["id"])
        if row["done"]
    ]
    assert [(each["full_name"], each["education"], each["qualification"]) for each in stored] == [
        ("Khổng Thị Hà", "upper_secondary", "bachelor"),
        ("Khổng Thị Lan", "lower_secondary", None),
        ("Khổng Thị Mai", None, "intermediate"),
        ("Khổng Thị Na", "upper_secondary", None),
        ("Khổng Thị Tươi", "lower_secondary", None),
    ]
    assert [each["party"] for each in stored] == ["member", None, None, None, None]


def test_what_changed_is_said_and_what_waits_is_settled_at_once(
    officer: Api, work: Work, unit_id: Ids
) -> None:
    item = previewed(officer, work, unit_id["phuongvi"], xlsx(HEAD, WOMEN))
    first, *_, fifth, _ = rows_of(officer, item["id"])
    assert {each["code"]: each["level"] for each in first["problems"]} == dict.fromkeys(
        ("name_with_more", "levels_read", "value_of_note"), "warning"
    )
    assert {each["code"]: each["proposal"] for each in fifth["problems"]} == {
        "name_has_symbols": "Khổng Thị Sen",
        "levels_unknown": None,
    }
    step = item["next_steps"][0]["request"]["body"]
    assert step == {
        "accept": ["name_has_symbols"],
        "leave_out": {"fields": ["levels"], "codes": []},
    }
    item = changed(officer, work, item, **step)
    assert item["summary"] == summary(created=6)
