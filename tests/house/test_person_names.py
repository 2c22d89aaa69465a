import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.person_names import NAME_LENGTH, name_problem, read_name

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)
LETTERS = st.text(
    st.sampled_from("aăâbđeêơuưvxyAĂĐÊƠƯ \u0301\u0306\u031b'\u2019`\u2032-\u2013.\u00d0ı"),
    max_size=20,
)


@pytest.mark.parametrize(
    "name",
    [
        "Nguyễn Thị Ánh",
        "H'Hen Niê",
        "H’Hen Niê",
        "Y Bhă",
        "Y-Bhăm",
        "Nguyễn-Lê Anh",
        "M. Lan",
        "Ƀuôn Yă",
        "Lơ̆k",
        "Ludwig van Beethoven",
        "Ronald McDonald",
        "Trần Ý",
    ],
)
def test_a_name_that_is_fine_stays_as_it_is(name: str) -> None:
    assert name_problem(name) is None
    assert read_name(name) == (name, ())
    assert read_name(unicodedata.normalize("NFD", name)) == (name, ())


@given(st.lists(st.from_regex(r"[A-ZÀ-ỹ][a-zà-ỹ]*", fullmatch=True), min_size=1, max_size=5))
def test_what_is_read_as_it_is_has_nothing_to_repair(words: list[str]) -> None:
    """The short way for names that are well written gives what the long way gives."""
    name = " ".join(words)
    short = read_name(name)
    assert short == read_name(f" {name}")
    assert name_problem(short.text) == name_problem(f"{short.text}.")


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("trần thị mơ", "Trần Thị Mơ"),
        ("LÊ THỊ SEN", "Lê Thị Sen"),
        ("Trần thị mơ", "Trần Thị Mơ"),
        ("Trần thị Mơ", "Trần Thị Mơ"),
        ("Nguyễn Thị HOA", "Nguyễn Thị Hoa"),
        ("ĐỖ THỊ ÁNH", "Đỗ Thị Ánh"),
        ("h'hen niê", "H'Hen Niê"),
        ("H'HEN NIÊ", "H'Hen Niê"),
        ("Y-BHĂM", "Y-Bhăm"),
        ("y bhăm", "Y Bhăm"),
        ("LƠ̆K", "Lơ̆k"),
        ("hoa", "Hoa"),
    ],
)
def test_small_and_capital_letters_become_name_case(typed: str, name: str) -> None:
    assert read_name(typed) == (name, ("name_case_set",))


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("\u00d0ào Lan", "Đào Lan"),
        ("\u0189ào Lan", "Đào Lan"),
        ("H`Hen Niê", "H'Hen Niê"),
        ("H\u00b4Hen Niê", "H'Hen Niê"),
        ("H\u2032Hen Niê", "H'Hen Niê"),
        ("H\u02b9Hen Niê", "H'Hen Niê"),
        ("H\uff07Hen Niê", "H'Hen Niê"),
        ("H` Hen", "H' Hen"),
        ("Y\u2013Bhăm", "Y-Bhăm"),
        ("Y\u2212Bhăm", "Y-Bhăm"),
        ("Lê Thị L\u0430n", "Lê Thị Lan"),
        ("Ｌê Ｔhị Ｌan", "Lê Thị Lan"),
        ("𝐋ê Thị 𝐋𝐚𝐧", "Lê Thị Lan"),
    ],
)
def test_look_alike_letters_are_replaced(typed: str, name: str) -> None:
    assert read_name(typed) == (name, ("name_look_alike",))
    assert name_problem(name) is None


def test_everything_that_was_repaired_is_said() -> None:
    assert read_name("\u200bÐÀO LAN") == (
        "Đào Lan",
        ("name_had_invisible", "name_look_alike", "name_case_set"),
    )
    assert read_name("Lan\u202e Anh\u00ad") == ("Lan Anh", ("name_had_invisible",))


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "name_empty"),
        ("-", "name_empty"),
        ("Y", "name_too_short"),
        ("-Y.", "name_too_short"),
        ("a" * 121, "name_too_long"),
        ("Lan 2", "name_has_digits"),
        ("Lan Ⅱ", "name_has_digits"),
        ("Lan ２", "name_has_digits"),
        ("Lan ❤", "name_has_symbols"),
        ("Lan\ufe0f", "name_has_symbols"),
        ("Lan (B)", "name_has_symbols"),
        ("Lan_Anh", "name_has_symbols"),
        ("Lan`", "name_has_symbols"),
        ("Hoa \u2013 CHP", "name_has_symbols"),
        ("Lan\x00", "name_has_symbols"),
        ("Lan\ud800", "name_has_symbols"),
        ("Анна Роса", "name_has_symbols"),
        ("Роса", "name_has_symbols"),
    ],
)
def test_what_nobody_can_know_is_refused(name: str, problem: str) -> None:
    assert name_problem(read_name(name).text) == problem


@given(ANY_TEXT | LETTERS)
def test_a_name_that_was_read_is_read_as_itself(typed: str) -> None:
    name = read_name(typed).text
    if name_problem(name) is None:
        assert read_name(name) == (name, ())
        assert len(name) <= NAME_LENGTH
