"""Fixed books: how values are written."""

from tests.workbooks.wild import files
from tests.workbooks.wild.sheets import (
    BASIC,
    BORN,
    BRANCH,
    CARD,
    NAME,
    NUMBER,
    PHONE,
    Cell,
    Sheet,
    Woman,
    column,
    women,
)
from tests.workbooks.wild.shelf import Shelf

VALUES = Shelf({})
JOINED = column("Ngày vào Hội", "joined_on")
SCHOOLING = column("Trình độ văn hoá", "education")


def year_of(woman: Woman, name: str) -> int:
    return int(str(woman.stored[name])[:4])


def in_years(woman: Woman, *names: str) -> Woman:
    """Only the year of these days is known."""
    for name in names:
        year = year_of(woman, name)
        woman = woman.but(name, year, **{name: str(year)})
    return woman


@VALUES.book("years_only.xlsx")
def years_only(name: str) -> Sheet:
    people = [in_years(each, "birth_date", "joined_on") for each in women(8, name)]
    born, joined = column("Năm sinh", "birth_date"), column("Năm vào Hội", "joined_on")
    return Sheet().table((NUMBER, NAME, born, BRANCH, joined, PHONE), people)


@VALUES.book("months_only.xlsx")
def months_only(name: str) -> Sheet:
    people = women(6, name)
    shown = ("T3/{y}", "03/{y}", "tháng 3/{y}", "3-{y}", "Tháng 3 năm {y}", "03.{y}")
    for place, each in enumerate(people):
        year = year_of(each, "birth_date")
        written = shown[place].format(y=year)
        people[place] = each.but("birth_date", written, birth_date=f"{year}-03")
    return Sheet().table((NUMBER, NAME, BORN, BRANCH, JOINED, PHONE), people)


@VALUES.book("years_in_cells_of_dates.xlsx")
def years_in_cells_of_dates(name: str) -> Sheet:
    """1968 in a cell that shows days: Excel shows 21/05/1905."""
    people = [in_years(each, "birth_date") for each in women(7, name)]
    sheet = Sheet().table((NUMBER, NAME, column("Năm sinh", "birth_date"), BRANCH, PHONE), people)
    sheet.formats = {(row, 3): "dd/mm/yyyy" for row in range(2, 9)}
    return sheet


@VALUES.book("years_of_two_digits.xlsx")
def years_of_two_digits(name: str) -> Sheet:
    people = [in_years(each, "birth_date") for each in women(8, name)]
    for place in (1, 4, 6):
        each = people[place]
        people[place] = each.but("birth_date", year_of(each, "birth_date") - 1900)
    return Sheet().table((NUMBER, NAME, column("Năm sinh", "birth_date"), BRANCH, PHONE), people)


@VALUES.book("day_and_month_without_year.xlsx")
def day_and_month_without_year(name: str) -> Sheet:
    people = women(6, name)
    people[1] = people[1].but("joined_on", "17/05", joined_on=None).with_sign()
    people[3] = people[3].but("joined_on", "3/2", joined_on=None).with_sign()
    people[4] = people[4].but("birth_date", "20/10").to_decide()
    return Sheet().table((NUMBER, NAME, BORN, BRANCH, JOINED, PHONE), people)


@VALUES.book("lunar_days.xlsx")
def lunar_days(name: str) -> Sheet:
    people = women(6, name)
    for place, mark in ((0, "(âm lịch)"), (2, "ÂL"), (5, "(âm)")):
        each = people[place]
        year = year_of(each, "birth_date")
        written = f"15/8/{year} {mark}"
        people[place] = each.but("birth_date", written, birth_date=str(year)).with_sign()
    return Sheet().table(BASIC, people)


@VALUES.book("ways_to_write_a_day.xlsx")
def ways_to_write_a_day(name: str) -> Sheet:
    people = women(7, name)
    ways = ("{d}/{m}/{y}", "{d}.{m}.{y}", "{d}-{m}-{y}", "{y}-{m:02}-{d:02}", "ngày {d}/{m}/{y}")
    for place, way in enumerate((*ways, "ngày {d} tháng {m} năm {y}", "{d}/ {m}/{y}")):
        each = people[place]
        year, month, day = map(int, str(each.stored["birth_date"]).split("-"))
        people[place] = each.but("birth_date", way.format(d=day, m=month, y=year))
    return Sheet().table(BASIC, people)


@VALUES.book("schooling.xlsx")
def schooling(name: str) -> Sheet:
    levels = (
        *(("9/12", "lower_secondary"), ("12/12", "upper_secondary"), ("lớp 9", "lower_secondary")),
        *(("THPT", "upper_secondary"), ("THCS", "lower_secondary"), ("10/10", "upper_secondary")),
        *(("Cấp 2", "lower_secondary"), ("Tiểu học", "primary"), ("Lớp 12", "upper_secondary")),
    )
    people = [
        each.but("education", written, education=level)
        for each, (written, level) in zip(women(9, name), levels, strict=True)
    ]
    return Sheet().table((NUMBER, NAME, BORN, BRANCH, SCHOOLING), people)


@VALUES.book("qualifications.xlsx")
def qualifications(name: str) -> Sheet:
    levels = (
        *(("Đại học", "bachelor"), ("Cao đẳng", "college"), ("ĐH", "bachelor")),
        *(("Trung cấp", "intermediate"), ("TC", "intermediate"), ("Sơ cấp", "elementary")),
    )
    people = [
        each.but("qualification", written, qualification=level)
        for each, (written, level) in zip(women(6, name), levels, strict=True)
    ]
    column_ = column("Trình độ chuyên môn", "qualification")
    return Sheet().table((NUMBER, NAME, BORN, BRANCH, column_), people)


@VALUES.book("characters_nobody_sees.xlsx")
def characters_nobody_sees(name: str) -> Sheet:
    people = women(6, name)
    for place, each in enumerate(people):
        words = str(each.written["full_name"]).split(" ")
        shown = ("\u00a0".join(words), "\u200b".join((" ".join(words), "")), "  ".join(words))
        hidden = each.but("full_name", shown[place % 3])
        people[place] = hidden.but("phone", f"\u202a{each.written['phone']}\u202c")
        people[place] = people[place].but("branch", f"{each.written['branch']}\u00a0")
    return Sheet().table(BASIC, people)


@VALUES.book("phones_with_notes.xlsx")
def phones_with_notes(name: str) -> Sheet:
    people = women(8, name)
    ways = (
        *("{p} (zalo)", "{p} - con gái", "{p}/0987654321", "{p}; 0912 000 111"),
        *("+84{s}", "{a}.{b}.{c}", "{a} {b} {c}", "ĐT: {p}"),
    )
    for place, way in enumerate(ways):
        phone = str(people[place].written["phone"])
        parts = {"a": phone[:4], "b": phone[4:7], "c": phone[7:]}
        written = way.format(p=phone, s=phone[1:], **parts)
        people[place] = people[place].but("phone", written)
        if place in (2, 3):
            people[place] = people[place].with_sign()
    return Sheet().table(BASIC, people)


@VALUES.book("numbers_without_zero.xlsx")
def numbers_without_zero(name: str) -> Sheet:
    people = [_as_numbers(each) for each in women(6, name)]
    return Sheet().table(BASIC, people)


def _as_numbers(woman: Woman) -> Woman:
    phone, card = (int(str(woman.written[name])) for name in ("phone", "citizen_id"))
    return woman.but("phone", phone).but("citizen_id", card)


@VALUES.book("cards_not_known.xlsx")
def cards_not_known(name: str) -> Sheet:
    unknown: tuple[Cell, ...] = ("000000000000", 0, "000000000000", "111111111111", "111111111111")
    people = women(8, name)
    for place, written in enumerate(unknown):
        people[place] = people[place].but("citizen_id", written, citizen_id=None)
    return Sheet().table(BASIC, people)


NOTHING = ("#N/A", "-", "không có", "chưa có", "#REF!", "…", "Không nhớ")


def _with_nothing(name: str) -> Sheet:
    people = women(7, name)
    for place, written in enumerate(NOTHING):
        people[place] = people[place].but("citizen_id", written, citizen_id=None)
    return Sheet().table((NUMBER, NAME, BORN, BRANCH, CARD), people)


@VALUES.book("nothing_in_words.xlsx")
def nothing_in_words(name: str) -> Sheet:
    return _with_nothing(name)


@VALUES.book("nothing_in_words.csv")
def nothing_in_words_csv(name: str) -> Sheet:
    return _with_nothing(name)


def _in_capitals(name: str) -> Sheet:
    people = [
        each.but("full_name", str(each.written["full_name"]).upper()) for each in women(6, name)
    ]
    return Sheet().table(BASIC, people)


@VALUES.book("names_in_capitals.xlsx")
def names_in_capitals(name: str) -> Sheet:
    return _in_capitals(name)


@VALUES.book("names_in_capitals_of_old_fonts.xlsx", files.vntime)
def names_in_capitals_of_old_fonts(name: str) -> Sheet:
    """TCVN3 has no capitals with tones: they stay small among the others."""
    return _in_capitals(name)


@VALUES.book("names_with_more.xlsx")
def names_with_more(name: str) -> Sheet:
    people = women(6, name)
    ways = ("Bà {n}", "{n} - CHP", "{n} (CHT)", "bà {n}", "Chị {n}", "{n} - Chi hội trưởng")
    for place, way in enumerate(ways):
        each = people[place]
        people[place] = each.but("full_name", way.format(n=each.written["full_name"]))
    return Sheet().table(BASIC, people)


@VALUES.book("ways_to_write_a_branch.xlsx")
def ways_to_write_a_branch(name: str) -> Sheet:
    ways = (
        *("K1", "Khu II", "Khu 3, Phượng Vĩ", "chi hội 4", "CH khu 1", "Chi hội phụ nữ khu 2"),
        *("khu3", "Chi hội khu 4 - xã Phượng Vĩ", "CHPN Khu 1", "Chi hội Khu số 2"),
    )
    people = [
        each.but("branch", way) for each, way in zip(women(len(ways), name), ways, strict=True)
    ]
    return Sheet().table(BASIC, people)


@VALUES.book("decoded_twice.xlsx", files.decoded_twice)
def decoded_twice(name: str) -> Sheet:
    address = column("Địa chỉ", "address")
    return Sheet("DS").table((*BASIC, address), women(6, name))


@VALUES.book("spellings_of_groups.xlsx")
def spellings_of_groups(name: str) -> Sheet:
    people = women(6, name)
    groups = ("Kinh", "kinh", "Mường", "Muong", "H'Mông", "Tày")
    codes = ("01", "01", "04", "04", "08", "02")
    faiths = ("Không", "Công giáo", "TCG", "không", "Phật giáo", "Thiên chúa giáo")
    religions = ("none", "catholic", "catholic", "none", "buddhist", "catholic")
    for place, each in enumerate(people):
        other = each.but("ethnicity", groups[place], ethnicity=codes[place])
        people[place] = other.but("religion", faiths[place], religion=religions[place])
    ethnicity, religion = column("Dân tộc", "ethnicity"), column("Tôn giáo", "religion")
    return Sheet().table((NUMBER, NAME, BORN, BRANCH, ethnicity, religion), people)
