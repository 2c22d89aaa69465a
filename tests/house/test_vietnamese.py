"""What people read in Vietnamese is Vietnamese: no address, no field, no state of the API."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from app.main import contract_app
from tests.helpers.vietnamese import is_vietnamese, texts

# Words of Vietnamese that are names of the API as well: phạm vi, in được.
BOTH = {"vi", "in"}
_OF_PROGRAMS = re.compile(
    r"/v\d|\b(?:GET|POST|PUT|PATCH|DELETE)\b|`"
    r"|\b[a-z0-9]+(?:_[a-z0-9]+)+\b"  # birth_date
    r"|\b[a-z]+:[a-z_]+\b"  # members:read
    r"|\b[A-Z][a-z]+(?:-[A-Z][a-z]+)+\b"  # Idempotency-Key
)
_WORD = re.compile(r"(?<![\w./])[a-z]+(?!\w)")


@pytest.fixture(scope="module")
def names() -> set[str]:
    """Fields, parameters and values of enums, as the contract has them."""
    return {*_names(contract_app().openapi())} - BOTH


def _names(content: Any) -> Iterator[str]:
    if isinstance(content, list):
        for each in content:
            yield from _names(each)
    if not isinstance(content, dict):
        return
    if isinstance(content.get("properties"), dict):
        yield from content["properties"]
    if isinstance(content.get("enum"), list):
        yield from map(str, content["enum"])
    if {"in", "name"} <= content.keys():
        yield content["name"]
    for each in content.values():
        yield from _names(each)


def of_programs(text: str, names: set[str]) -> list[str]:
    return _OF_PROGRAMS.findall(text) + [word for word in _WORD.findall(text) if word in names]


def test_texts_name_nothing_of_programs(names: set[str]) -> None:
    found = {where: wrong for where, text in texts() if (wrong := of_programs(text, names))}
    assert found == {}


def test_there_are_many_of_them_from_data_and_from_code() -> None:
    where = [where for where, _ in texts()]
    assert sum("data/problems/" in each for each in where) > 500
    assert sum("data/code_lists/" in each for each in where) > 50
    assert sum("data/privacy/" in each for each in where) > 5
    assert sum("data/poverty/" in each for each in where) > 50
    assert sum("data/import_columns/" in each for each in where) > 50
    assert sum(".py:" in each for each in where) > 100


@pytest.mark.parametrize(
    "text",
    [
        "Xem các đơn vị của bạn tại GET /v1/units.",
        "Xem danh sách ở /v1/units.",
        "Đổi kind thành honorary nếu đúng.",
        "Tệp đang ở trạng thái applied.",
        "Có 3 chỗ cần sửa; xem errors.",
        "Cần quyền privacy:manage để sửa.",
        "Ghi ở mục Số CMND (id_card).",
        "Bỏ `cursor` để đọc lại.",
        "Câu trả lời cho Idempotency-Key.",
        "Hộ này là hộ poor.",
    ],
)
def test_what_is_for_programs_is_found(text: str, names: set[str]) -> None:
    assert of_programs(text, names)


@pytest.mark.parametrize(
    "text",
    [
        "Mở bằng Excel rồi lưu thành .xlsx.",
        "Ví dụ: 0912345678 hoặc +84912345678.",
        "Ghi cả múi giờ, ví dụ 2026-11-21T19:30:00+07:00.",
        "Bắt đầu bằng https://",
        "Không có đơn vị này trong phạm vi của bạn.",
    ],
)
def test_what_people_know_is_not(text: str, names: set[str]) -> None:
    assert of_programs(text, names) == []


def test_an_english_text_with_a_vietnamese_term_is_english() -> None:
    assert is_vietnamese("Chi hội trưởng điểm danh")
    assert not is_vietnamese("Only core members (hội viên nòng cốt), or only the others.")
