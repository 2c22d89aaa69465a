import random
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.text import (
    clean,
    fold,
    has_given,
    name_in_key,
    normalise_phone,
    search_key,
    search_words,
    sort_key,
    sort_keys,
    unit_sort_key,
    words_of_key,
)

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("  Nguyễn \t Thị\n Ánh ", "Nguyễn Thị Ánh"),
        (unicodedata.normalize("NFD", "Nguyễn Ước"), "Nguyễn Ước"),
        ("\u00d0ào \u00f0ức", "Đào đức"),
        ("Lan\u00a0Anh\u3000Hoa", "Lan Anh Hoa"),
        ("\ufeffLa\u200bn\u200d \u202eAnh\u2069", "Lan Anh"),
        ("a\u200b\u0301", "á"),
        ("\u200b \u00a0", ""),
    ],
)
def test_clean(raw: str, cleaned: str) -> None:
    assert clean(raw) == cleaned


@given(ANY_TEXT)
def test_clean_and_fold_are_idempotent(text: str) -> None:
    assert clean(clean(text)) == clean(text)
    assert fold(fold(text)) == fold(text)
    assert [bare for bare, _ in search_words(text)] == [b for b, _ in search_words(clean(text))]
    assert fold(clean(text)) == fold(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Trần Thị Hoà", "tran thi hoa"),
        ("Hòa", "Hoà"),
        ("Thuỷ", "Thủy"),
        ("Phượng Vĩ", "PHƯỢNG VỸ"),
        ("Lý", "Lí"),
        ("\u00d0ức", "Duc"),
        ("Điêu  Lương", "dieu luong"),
    ],
)
def test_fold_makes_equal(one: str, other: str) -> None:
    assert fold(one) == fold(other)


def test_fold_keeps_punctuation_and_a_search_does_not() -> None:
    assert fold("Họp 8/3 (lần 2)") == "hop 8/3 (lan 2)"
    words = [bare for bare, _ in search_words("H’Hen  Niê-Đam%_")]
    assert words == ["h", "hen", "nie", "dam"]
    assert search_words("h' hen") == search_words("h'hen") == [("h", None), ("hen", None)]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Đỗ Thị Hoà", " do=3d{o{ thi=5thi hoa=1hoa /hoa=1hoa "),
        ("NGUYỄN THỊ LAN", " nguien=3nguie{n thi=5thi lan= /lan= "),
        ("Hà Văn Vỹ", " ha=1ha van=0va{n vi=3vi /vi=3vi "),
        ("Y Bhă", " i= bha=0bha{ /bha=0bha{ "),
        ("H'Hen Niê", " h= hen= nie=0nie{ hhen= /nie=0nie{ "),
        ("Y Lơ\u0306k", " i= lok=6lo|k /lok=6lo|k "),
        ("", " "),
    ],
)
def test_a_search_key_holds_each_word_without_and_with_its_marks(name: str, key: str) -> None:
    assert search_key(name) == key
    assert search_key(unicodedata.normalize("NFD", name)) == key


def test_a_given_name_may_stand_anywhere() -> None:
    assert search_key("H'Hen Niê", "h’hen") == " h= hen= nie=0nie{ hhen= /h= /hen= /hhen= "
    assert words_of_key(search_key("H'Hen Niê", "H'Hen")) == words_of_key(search_key("H'Hen Niê"))
    assert name_in_key(search_key("Lê Thị Hoa", "Thị")) == name_in_key(search_key("Lê Thị Hoa"))
    ordered = ["Lê An", "Niê H'Hen", "H'Hen Niê", "Lê Hoa"]
    given = {"H'Hen Niê": "H'Hen"}
    assert (
        sorted(
            random.Random(8).sample(ordered, 4), key=lambda name: sort_key(name, given.get(name))
        )
        == ordered
    )
    # What is no part of the name names nobody.
    assert sort_key("Lê Hoa", "Mai") == sort_key("Lê Hoa") == sort_key("Lê Hoa", "Hoa")
    assert {sort_key("Lê Thị Hoa", each) for each in (None, "Lê", "Thị Hoa")} <= {
        *sort_keys("Lê Thị Hoa")
    }
    assert has_given("Lê Thị Hoa", "thị hoa")
    assert not has_given("Lê Thị Hoa", "Lê Hoa")
    assert not has_given("Lê Thị Hoa", " ")


@pytest.mark.parametrize(
    ("one", "other"), [("hoà", "hòa"), ("Thuỷ", "THỦY"), ("Vĩ", "Vỹ"), ("Lý", "Lí"), ("Ðào", "Đào")]
)
def test_spellings_of_one_word_are_one_word(one: str, other: str) -> None:
    assert search_words(one) == search_words(other)


@pytest.mark.parametrize(
    ("one", "other"), [("hoà", "hoá"), ("dung", "Đung"), ("ăn", "ân"), ("Tô", "To")]
)
def test_other_marks_are_another_word(one: str, other: str) -> None:
    [(bare, marked)], [(other_bare, other_marked)] = search_words(one), search_words(other)
    assert bare == other_bare
    assert marked != other_marked


# The order of PostgreSQL's vi-x-icu on (given name, surname, middle names).
IN_ORDER = [
    ["An", "Anh", "Ành", "Ảnh", "Ãnh", "Ánh", "Ạnh", "Ân", "Ba", "Dung", "Đào", "Đức"],
    ["Lê An", "Nguyễn An", "Nguyễn Văn An", "Nguyễn An Anh", "Nguyễn Thị Ân"],
    ["Lê Thị Án A", "Lê Thị Anh A", "Lê Thị Anh B A", "Lê Thi Thu B", "Lê Thị Thu B"],
    ["Bùi Thị Kim Lan", "Bùi Thị-Kim Lan", "Bùi Thịa Lan", "Đỗ Lan", "Y Lan", "Lăn", "Lân"],
    ["Ăm", "Ăn", "Âm", "D", "Dz", "Đ", "Em", "Êm", "Oz", "Ông", "Ơn", "Uz", "Ưng"],
    ["H'Hen", "H'Ơn", "Ha", "Hà", "Hả", "Hã", "Há", "Hạ", "Hai"],
    ["An", "A An", "An An", "An A An", "Ba An"],
    ["Lê A 9 B", "Lê Aa B", "Lê Ba", "Lê 李", "Lê 王"],
]


@pytest.mark.parametrize("names", IN_ORDER)
def test_sort_key_orders_people(names: list[str]) -> None:
    shuffled = random.Random(8).sample(names, len(names))
    assert sorted(shuffled, key=sort_key) == names
    assert len({sort_key(name) for name in names}) == len(names)


@pytest.mark.parametrize(
    "names",
    [
        ["Xã Ngô Xá", "Xã Phú Khê", "Xã Phượng Vĩ", "Xã Phượng Vỹ", "Xã Yên Tập"],
        ["Dư Ba", "Đa Lộc", "Em", "Ê Đê"],
        ["Khu 1", "Khu 1A", "Khu 2", "Khu 2 (mới)", "Khu 10", "Khu 100", "Khu Ba"],
        ["Tam Sơn", "Tam Sớn", "Tàm Sơn", "Tám Sơn", "Tăm Sơn", "Tâm Sơn"],
    ],
)
def test_unit_sort_key_orders_names(names: list[str]) -> None:
    shuffled = random.Random(8).sample(names, len(names))
    assert sorted(shuffled, key=unit_sort_key) == names
    assert len({unit_sort_key(name) for name in names}) == len(names)


@given(ANY_TEXT)
@example("ấ" * 200)
def test_unit_sort_key_is_short_printable_ascii(text: str) -> None:
    key = unit_sort_key(text)
    assert key.isascii()
    assert len(key) <= 400
    assert key == "" or key.isprintable()
    assert key == unit_sort_key(clean(text))


@pytest.mark.parametrize(
    ("one", "other"),
    [("Lê Hoà", "Lê Hòa"), ("Thuỷ", "Thủy"), ("KHOẺ", "Khỏe"), ("H'Hen", "H’Hen"), ("Ðào", "Đào")],
)
def test_sort_key_ignores_spelling_twins(one: str, other: str) -> None:
    assert sort_key(one) == sort_key(other)


@given(
    st.sampled_from("\u0300\u0301\u0303\u0309\u0323"),
    st.sampled_from(["oa", "oe", "uy"]),
    st.sampled_from("hktlx"),
)
def test_sort_key_ignores_tone_placement(tone: str, rhyme: str, onset: str) -> None:
    old, new = onset + rhyme[0] + tone + rhyme[1], onset + rhyme + tone
    assert sort_key(f"Lê {old} {new}") == sort_key(f"Lê {new} {old}")


@given(ANY_TEXT)
@example("ấ" * 120)
@example("\U0010ffff" * 120)
def test_sort_key_is_short_printable_ascii(text: str) -> None:
    key = sort_key(text)
    assert key.isascii()
    assert key.isprintable()
    assert len(key) <= 400
    assert key == sort_key(clean(text))


def test_sort_key_of_a_longest_vietnamese_name_is_whole() -> None:
    assert sort_key("ấ" * 119 + "à") != sort_key("ấ" * 120)


@pytest.mark.parametrize(
    ("typed", "e164"),
    [
        ("0912 345 678", "+84912345678"),
        ("+84 (0) 912.345.678", "+84912345678"),
        ("84912345678", "+84912345678"),
        ("0084-912-345-678", "+84912345678"),
        ("912345678", "+84912345678"),
        ("(0210) 3 888 888", "+842103888888"),
        ("+82 10 1234 5678", "+821012345678"),
        ("0162 345 6789", "+84323456789"),
        ("0169 345 6789", "+84393456789"),
        ("0120 345 6789", "+84703456789"),
        ("0121 345 6789", "+84793456789"),
        ("0122 345 6789", "+84773456789"),
        ("0126 345 6789", "+84763456789"),
        ("0128 345 6789", "+84783456789"),
        ("0123 345 6789", "+84833456789"),
        ("0124 345 6789", "+84843456789"),
        ("0125 345 6789", "+84853456789"),
        ("0127 345 6789", "+84813456789"),
        ("0129 345 6789", "+84823456789"),
        ("0186 345 6789", "+84563456789"),
        ("+84 188 345 6789", "+84583456789"),
        ("0084 168 912 3456", "+84389123456"),
        ("00840168 912 3456", "+84389123456"),
        ("０９１２　３４５　６７８", "+84912345678"),
        ("＋84 912 345 678", "+84912345678"),
        ("84 0199 345 6789", "+84593456789"),
        ("0161 345 6789", None),
        ("09123456789", None),
        ("113", None),
        ("", None),
        ("gọi 0912345678", None),
        ("0912345678 / 0987654321", None),
        ("٠٩١٢٣٤٥٦٧٨", None),
        ("0912345678\x00", None),
        ("+" + "9" * 15, None),
    ],
)
def test_normalise_phone(typed: str, e164: str | None) -> None:
    assert normalise_phone(typed) == e164


@given(ANY_TEXT | st.from_regex(r"(\+?84|0)?[0-9 ().-]{8,12}", fullmatch=True))
def test_a_normal_phone_stays_itself(text: str) -> None:
    phone = normalise_phone(text)
    assert phone is None or normalise_phone(phone) == phone
