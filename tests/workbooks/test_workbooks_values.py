"""One cell to one value: as people write it, never guessed, always with a word on how to put it right."""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any

import pytest
import time_machine
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from app.errors import FIELD_ERRORS
from app.models.members import members
from app.text import normalise_phone
from app.workbooks import day_columns, headers, values
from app.workbooks.tables import Cell, Kind
from app.workbooks.values import Options, Parsed
from tests.helpers.soak import longer


def parsed(field: str, cell: Cell, kind: Kind = "members", *, first_day: bool = False) -> Parsed:
    return values.parse(headers.fields(kind)[field], kind, cell, Options(first_day=first_day))


def outcome(field: str, cell: Cell, kind: Kind = "members", *, first_day: bool = False) -> Any:
    """The value, or (code, proposal)."""
    found = parsed(field, cell, kind, first_day=first_day)
    return found.value if found.problem is None else (found.problem.code, found.problem.proposal)


class TestDates:
    @pytest.fixture(autouse=True)
    def _in_2026(self) -> Any:
        with time_machine.travel(datetime(2026, 11, 26, 8, tzinfo=UTC), tick=False):
            yield

    @pytest.mark.parametrize(
        ("cell", "expected"),
        [
            (date(1968, 5, 17), "1968-05-17"),
            (datetime(1968, 5, 17, 9, 30, tzinfo=UTC), "1968-05-17"),
            (24975, "1968-05-17"),
            (24975.5, "1968-05-17"),
            (1968, "1968"),
            ("1968", "1968"),
            ("'1968", "1968"),
            ("Năm 1968", "1968"),
            ("sinh năm 1968", "1968"),
            ("17/05/1968", "1968-05-17"),
            ("17/5/1968", "1968-05-17"),
            ("17-5-1968", "1968-05-17"),
            ("17.05.1968", "1968-05-17"),
            ("17 / 05 / 1968", "1968-05-17"),
            ("ngày 17 tháng 5 năm 1968", "1968-05-17"),
            ("17/05/1968 00:00:00", "1968-05-17"),
            ("1968-05-17", "1968-05-17"),
            ("1968-05-17T00:00:00Z", "1968-05-17"),
            ("1968/5/17", "1968-05-17"),
            ("1968-05", "1968-05"),
            ("05/1968", "1968-05"),
            ("5-1968", "1968-05"),
            ("tháng 5/1968", "1968-05"),
            ("tháng Năm 1970", "1970-05"),
            ("tháng năm năm 1970", "1970-05"),
            ("Tháng Mười Hai, 1970", "1970-12"),
            ("tháng mười 1970", "1970-10"),
            ("ngày 3 tháng Tám năm 1968", "1968-08-03"),
            ("ngày tháng năm 1970", "1970"),
            ("tháng Chạp 1970", ("date_unread", None)),
            ("１７/０５/１９６８", "1968-05-17"),
            ("00/00/1955", "1955"),
            ("00/05/1955", "1955-05"),
            ("17/5/68", "1968-05-17"),
            ("17-5-08", "2008-05-17"),
            ("-", None),
            ("không rõ", None),
            (None, None),
            ("17/5/20", ("date_century", "1920-05-17")),
            ("05/17/1968", ("date_month_first", "1968-05-17")),
            ("17051968", ("date_unread", "1968-05-17")),
            (17051968, ("date_unread", "1968-05-17")),
            (7051968, ("date_unread", "1968-05-07")),
            ("24975", ("date_unread", "1968-05-17")),
            (5.1968, ("date_unread", "1968-05")),
            (10.197, ("date_unread", "1970-10")),
            ("30/02/1968", ("date_unread", None)),
            ("32/01/1968", ("date_unread", None)),
            ("17/00/1968", ("date_unread", "1968")),
            ("hôm qua", ("date_unread", None)),
            ("1868", ("birth_too_early", None)),
            ("2030", ("birth_in_future", None)),
            ("27/11/2026", ("birth_in_future", None)),
            (True, ("date_unread", None)),
            (99_999_999_999, ("date_unread", None)),
            (1e300, ("date_unread", None)),
            (float("nan"), ("date_unread", None)),
            (-5, ("date_unread", None)),
            ("#REF!", ("formula_error", None)),
        ],
    )
    def test_of_birth_may_be_partial(self, cell: Cell, expected: Any) -> None:
        assert outcome("birth_date", cell) == expected

    @pytest.mark.parametrize(
        ("cell", "expected"),
        [
            ("08/03/1990", "1990-03-08"),
            (32940, "1990-03-08"),
            ("8/3/90", "1990-03-08"),
            ("8/3/05", "2005-03-08"),
            ("2005", "2005"),
            (2005, "2005"),
            ("03/2005", "2005-03"),
            ("T3/2005", "2005-03"),
            ("27/11/2026", ("date_in_future", None)),
            ("26/11/2026", "2026-11-26"),
            ("1890", ("date_too_early", None)),
        ],
    )
    def test_of_joining_may_be_partial(self, cell: Cell, expected: Any) -> None:
        assert outcome("joined_on", cell) == expected

    @pytest.mark.parametrize(
        ("cell", "expected"),
        [
            ("T3/1970", "1970-03"),
            ("t.3 1970", "1970-03"),
            (68, ("date_century", "1968")),
            ("20/10", ("date_without_year", None)),
            ("ngày 20 tháng 10", ("date_without_year", None)),
            ("15/8/1962 (âm lịch)", ("date_lunar", None)),
            ("15/8/1962 ÂL", ("date_lunar", None)),
        ],
    )
    def test_of_birth_known_in_part(self, cell: Cell, expected: Any) -> None:
        assert outcome("birth_date", cell) == expected

    def test_of_the_moon_only_the_year_is_kept(self) -> None:
        born = parsed("birth_date", "15/8/1962 (âm)")
        assert born.value == "1962"
        assert born.problem is not None
        assert born.problem.taken

    def test_without_a_year_it_is_left_out_where_it_may_be(self) -> None:
        problem = parsed("joined_on", "17/05").problem
        assert problem is not None
        assert (problem.code, problem.left_out) == ("date_without_year", True)
        required = parsed("decided_on", "17/05", "poverty_decisions").problem
        assert required is not None
        assert not required.left_out

    @pytest.mark.parametrize("field", ["joined_on", "party_joined_on"])
    def test_of_the_moon_and_of_two_digits_as_of_birth(self, field: str) -> None:
        assert parsed(field, "15/8/1983 ÂL").value == "1983"
        assert outcome(field, 83) == ("date_century", "1983")
        column = day_columns.of_cells([1981, 1990])
        spec = headers.fields("members")[field]
        assert values.parse(spec, "members", 83, Options(column=column)).value == "1983"

    def test_a_year_in_a_cell_of_days_by_its_column(self) -> None:
        days: list[Cell] = [date(1905, 5, 21), date(1905, 6, 2), 1975]
        column = day_columns.of_cells(days)
        spec = headers.fields("members")["birth_date"]
        born = values.parse(spec, "members", days[0], Options(column=column))
        assert born.value == "1968"
        assert born.problem is not None
        assert born.problem.code == "date_is_year"

        among_days = day_columns.of_cells([date(1905, 5, 21), date(1968, 3, 1), "17/5/1970"])
        born = values.parse(spec, "members", days[0], Options(column=among_days))
        assert born.value is None
        assert born.problem is not None
        assert (born.problem.taken, born.problem.proposal) == (False, "1968")

    def test_of_days_and_months_exchanged_by_a_program_the_meant_one_is_proposed(self) -> None:
        """5/3 became the 3rd of May, 25/3 stayed text."""
        days: list[Cell] = [date(1970, 5, 3), date(1966, 1, 12), date(1971, 4, 4)]
        days += ["25/3/1970", "17-10-1958", "1965", "31.1.1980", "13/2/1977"]
        spec = headers.fields("members")["birth_date"]

        def read(cell: Cell, column: list[Cell]) -> tuple[object, object]:
            parsed = values.parse(
                spec, "members", cell, Options(column=day_columns.of_cells(column))
            )
            problem = parsed.problem
            return parsed.value, problem and (problem.code, problem.proposal, problem.taken)

        assert read(days[0], days) == (None, ("date_swapped", "1970-03-05", False))
        assert read(days[2], days) == ("1971-04-04", None)
        assert read("25/3/1970", days) == ("1970-03-25", None)
        # One text that could be its month, or one date that could not, speaks against it.
        for other in ("5/3/1970", date(1970, 3, 25)):
            assert read(days[0], [*days, other]) == ("1970-05-03", None)
        assert read(days[0], days[:4]) == ("1970-05-03", None)  # too few to tell

    def test_two_digits_agree_with_the_years_of_the_column(self) -> None:
        spec = headers.fields("members")["birth_date"]
        alike = day_columns.of_cells([1961, "1975", 68])
        assert values.parse(spec, "members", 68, Options(column=alike)).value == "1968"
        none = day_columns.of_cells([68, 70])
        assert values.parse(spec, "members", 68, Options(column=none)).value is None

    def test_the_first_day_by_choice(self) -> None:
        given = [outcome("opened_on", day, "households") for day in ("2005", "03/2005")]
        assert given == [("date_partial", "2005-01-01"), ("date_partial", "2005-03-01")]
        assert outcome("opened_on", "2005", "households", first_day=True) == "2005-01-01"
        assert outcome("opened_on", "03/2005", "households", first_day=True) == "2005-03-01"
        for field in ("birth_date", "joined_on"):
            assert outcome(field, "2005", first_day=True) == "2005"

    def test_of_a_post_may_come(self) -> None:
        assert outcome("valid_to", "10/03/2031", "appointments") == "2031-03-10"

    @given(st.dates(date(1900, 3, 1), date(2026, 11, 26)))
    @settings(max_examples=longer(100), deadline=None)
    def test_however_it_is_written_it_is_the_same_day(self, day: date) -> None:
        number = (day - date(1899, 12, 30)).days
        spellings: list[Cell] = [
            day,
            f"{day:%d/%m/%Y}",
            f"{day.day}/{day.month}/{day.year}",
            f"{day:%d-%m-%Y}",
            day.isoformat(),
        ]
        spellings += [number] if number > 2_100 else []
        assert {outcome("birth_date", each) for each in spellings} == {day.isoformat()}


class TestNames:
    @pytest.mark.parametrize(
        ("cell", "name"),
        [
            ("Bà Quách Thị Xoan", "Quách Thị Xoan"),
            ("chị Lê Na", "Lê Na"),
            *((f"Quách Thị Xoan ({each})", "Quách Thị Xoan") for each in ("Hùng", "ô. Hùng")),
            ("Quách Thị Xoan (chồng Nguyễn Văn Hùng)", "Quách Thị Xoan"),
            ("Quách Thị Xoan - CHP", "Quách Thị Xoan"),
            ("Quách Thị Xoan (CHT)", "Quách Thị Xoan"),
            ("Bà Quách Thị Xoan – Chi hội trưởng", "Quách Thị Xoan"),
        ],
    )
    def test_what_stands_beside_a_name_is_taken_off_with_a_sign(self, cell: str, name: str) -> None:
        read = parsed("full_name", cell)
        assert read.value == name
        assert read.problem is not None
        assert (read.problem.code, read.problem.taken) == ("name_with_more", True)

    @pytest.mark.parametrize("cell", ["Bà Xoan", "H-Chi Niê", "Lê Thị Chị"])
    def test_a_name_stays_whole(self, cell: str) -> None:
        assert parsed("full_name", cell) == Parsed(cell)


class TestNothing:
    @pytest.mark.parametrize("cell", ["000000000000", "111111111111"])
    def test_a_number_of_one_digit_is_not_known(self, cell: str) -> None:
        problem = parsed("citizen_id", cell).problem
        assert problem is not None
        assert (problem.code, problem.left_out) == ("number_not_known", True)

    @pytest.mark.parametrize("cell", ["…", "Không nhớ", "..."])
    def test_is_said_in_words(self, cell: str) -> None:
        assert parsed("citizen_id", cell) == Parsed()

    def test_a_failed_formula_is_left_out_where_nothing_is_required(self) -> None:
        for field, left_out in (("citizen_id", True), ("full_name", False)):
            problem = parsed(field, "#N/A").problem
            assert problem is not None
            assert (problem.code, problem.left_out) == ("formula_error", left_out)


class TestNumbers:
    @pytest.mark.parametrize(
        ("cell", "expected"),
        [
            ("0912345678", "+84912345678"),
            (912345678, "+84912345678"),
            ("0912.345.678", "+84912345678"),
            ("+84912345678", "+84912345678"),
            ("'+84912345678", "+84912345678"),
            ("84912345678", "+84912345678"),
            ("01682345678", "+84382345678"),
            ("0210 3846 543", "+842103846543"),
            ("không có", None),
            ("0", None),
            (0, None),
            ("0912345678 / 0987654321", ("phone_several", None)),
            ("0912345678; nhà: 02103846543", ("phone_several", None)),
            ("0912345678 (zalo)", ("phone_noted", None)),
            ("ĐT: 0912 345 678", ("phone_noted", None)),
            ("025168001234", ("phone_invalid", None)),
            ("12345", ("phone_invalid", None)),
            ("gọi chồng", ("phone_invalid", None)),
        ],
    )
    def test_a_phone(self, cell: Cell, expected: Any) -> None:
        assert outcome("phone", cell) == expected

    @given(st.from_regex(values._MOBILE, fullmatch=True))
    @settings(max_examples=longer(200), deadline=None)
    def test_the_short_way_reads_a_mobile_number_as_the_long_one(self, number: str) -> None:
        assert outcome("phone", number) == normalise_phone(number)

    @pytest.mark.parametrize(
        ("cell", "expected"),
        [
            ("025168001234", "025168001234"),
            ("025 168 001 234", "025168001234"),
            ("'025168001234", "025168001234"),
            ("０２５１６８００１２３４", "025168001234"),
            (25168001234, ("citizen_id_zero_lost", "025168001234")),
            ("25168001234", ("citizen_id_zero_lost", "025168001234")),
            (1168001234, ("citizen_id_zero_lost", "001168001234")),
            (99168001234, ("citizen_id_zero_lost", None)),
            ("132012345", ("id_card_not_citizen_id", None)),
            ("2.5168E+10", ("citizen_id_rounded", None)),
            (2.5168001234e10, ("citizen_id_zero_lost", "025168001234")),
            (25168001234.5, ("citizen_id_rounded", None)),
            ("0251680012345", ("citizen_id_invalid", None)),
            ("chưa có", None),
        ],
    )
    def test_a_citizen_id(self, cell: Cell, expected: Any) -> None:
        cell = int(cell) if isinstance(cell, float) and cell.is_integer() else cell
        assert outcome("citizen_id", cell) == expected

    @pytest.mark.parametrize(
        ("written", "code"),
        [
            ("Đại học Sư phạm", "bachelor"),
            ("Cao đẳng Y", "college"),
            ("Trung cấp kế toán", "intermediate"),
            ("Kỹ sư nông nghiệp", "bachelor"),
            ("ThS Luật", "master"),
            ("Sơ cấp nghề may", "elementary"),
        ],
    )
    def test_a_level_with_a_subject(self, written: str, code: str) -> None:
        read = parsed("qualification", written)
        assert read.value == code
        assert read.problem is not None
        assert (read.problem.code, read.problem.taken) == ("qualification_read", True)
        assert read.problem.params == {"text": written}

    @pytest.mark.parametrize("digits", ["000000000", "111111111"])
    def test_an_old_card_of_one_digit_is_not_known(self, digits: str) -> None:
        read = parsed("id_card", digits)
        assert (read.value, read.problem and read.problem.code) == (None, "number_not_known")
        assert read.problem
        assert read.problem.left_out

    def test_an_old_card(self) -> None:
        assert outcome("id_card", 132012345) == "132012345"
        assert outcome("id_card", 32012345) == ("id_card_invalid", "032012345")

    @pytest.mark.parametrize(
        ("cell", "expected"),
        [
            ("1.234.567", 1234567),
            ("12.000", 12000),
            ("12 000", 12000),
            ("4", 4),
            (4, 4),
            ("1,5", ("number_invalid", None)),
            (1.5, ("number_invalid", None)),
            ("bốn", ("number_invalid", None)),
            ("1" + ".000" * 5_000, ("too_long", None)),
            ("9" * 5_000, ("too_long", None)),
            (10**40, ("number_invalid", None)),
        ],
    )
    def test_a_count(self, cell: Cell, expected: Any) -> None:
        assert outcome("person_count", cell, "households") == expected


class TestWords:
    @pytest.mark.parametrize(
        ("field", "cell", "expected"),
        [
            ("gender", "Nữ", "female"),
            ("gender", "nu", "female"),
            ("gender", "NAM", "male"),
            ("gender", "F", "female"),
            ("gender", "female", "female"),
            ("gender", "abc", ("code_unknown", None)),
            ("ethnicity", "Kinh", "01"),
            ("ethnicity", "muong", "04"),
            ("ethnicity", "H'Mông", "08"),
            ("ethnicity", 1, "01"),
            ("ethnicity", "01", "01"),
            ("ethnicity", "Mừong", "04"),
            ("religion", "Thiên chúa giáo", "catholic"),
            ("religion", "Không", "none"),
            ("religion", "Công giáoo", ("code_unknown", "catholic")),
            ("party", "x", "member"),
            ("party", "Đảng viên", "member"),
            ("education", "THPT", "upper_secondary"),
            ("education", "12/12", "upper_secondary"),
            ("education", "lớp 12/12", "upper_secondary"),
            ("education", "10/10", "upper_secondary"),
            ("education", "9/12", "lower_secondary"),
            ("education", "7/10", "lower_secondary"),
            ("education", date(2026, 12, 9), ("schooling_read", None)),
            ("education", "lớp 9", ("schooling_read", None)),
            ("education", "Đại học", ("schooling_read", None)),
            ("qualification", "ĐH", "bachelor"),
            ("qualification", "Đại học Sư phạm", ("qualification_read", None)),
            ("qualification", "Đại học chưa tốt nghiệp", ("code_unknown", None)),
            ("qualification", "Đang học đại học", ("code_unknown", None)),
            ("qualification", "Cao đẳng, sau đó đại học", ("code_unknown", None)),
            ("education", "Cao đẳng Y", ("schooling_read", None)),
            ("kind", "danh dự", "honorary"),
            ("core", "x", True),
            ("core", "X", True),
            ("core", True, True),
            ("core", 1, True),
            ("core", "✓", True),
            ("core", "Không", False),
            ("core", "có lẽ", ("yes_no_invalid", None)),
            ("full_name", "  Nguyễn   Thị Hoà ", "Nguyễn Thị Hoà"),
            ("full_name", "Ðỗ Thị Hoà", ("name_look_alike", None)),
            ("full_name", "LÊ THỊ SEN", ("name_case_set", None)),
            ("full_name", "Nguyễn Thị Hoà 2", ("name_has_digits", None)),
            ("full_name", "Nguyễn Thị Hoà (lan)", ("name_has_symbols", "Nguyễn Thị Hoà")),
            ("full_name", "=1+1", ("name_has_digits", None)),
            ("address", 12, "12"),
            ("address", date(2026, 5, 3), "03/05/2026"),
            ("address", "a" * 301, ("too_long", None)),
            ("id", "không phải mã", ("id_invalid", None)),
            ("id", "0192F0C1-0000-7000-8000-000000000001", "0192f0c1-0000-7000-8000-000000000001"),
            ("female", "x", {"gender": "female"}),
            ("female", 1968, {"gender": "female", "birth_date": "1968"}),
            ("male", "1/2/1970", {"gender": "male", "birth_date": "1970-02-01"}),
            ("male", 0, None),
            ("masked", '["phone"]', ["phone"]),
        ],
    )
    def test_of_a_member(self, field: str, cell: Cell, expected: Any) -> None:
        assert outcome(field, cell) == expected

    @pytest.mark.parametrize(
        ("field", "cell", "expected"),
        [
            ("post", "Chi hội trưởng", "branch_head"),
            ("post", "PCT", "vice_chair"),
            ("post", "UVBTV", "standing_member"),
            ("basis", "chỉ định", "appointed"),
            ("payment", "Không chuyên trách", "part_time"),
            ("unit", "Chi hội khu 1", {"id": None, "name": "Chi hội khu 1"}),
            ("unit", '{"id":7,"level":"branch","name":"Khu 1"}', {"id": 7, "name": "Khu 1"}),
            ("member", '{"id":"a","full_name":"Lê A"}', {"id": "a", "name": "Lê A"}),
            (
                "term",
                "2021-2026",
                {"congress_number": None, "starts_on": "2021", "ends_on": "2026"},
            ),
            (
                "term",
                '{"congress_number":3,"starts_on":"2021-05-01","ends_on":"2026-05-01"}',
                {"congress_number": 3, "starts_on": "2021-05-01", "ends_on": "2026-05-01"},
            ),
            ("term", "2026-2021", ("dates_reversed", None)),
        ],
    )
    def test_of_a_post(self, field: str, cell: Cell, expected: Any) -> None:
        assert outcome(field, cell, "appointments") == expected


# Any cell of any kind, most of them nonsense.
CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=40),
    st.text("0123456789/.-: x", max_size=14),
    st.dates(),
    st.datetimes(),
)
FIELDS = [(kind, name) for kind in ("members", "appointments") for name in headers.fields(kind)]


class TestWhateverTheCell:
    @given(st.sampled_from(FIELDS), CELLS)
    @settings(max_examples=longer(600), deadline=None)
    def test_it_is_a_value_that_the_api_takes_or_a_problem_with_a_text(
        self, asked: tuple[Kind, str], cell: Cell
    ) -> None:
        kind, field = asked
        found = parsed(field, cell, kind)
        if found.problem is not None:
            assert found.value is None or found.problem.taken
            assert found.problem.code in FIELD_ERRORS
            for language in ("vi", "en"):
                told = found.problem.render(language)
                # A brace may be the cell's own; a placeholder that nobody filled is not.
                assert not set(re.findall(r"\{\w+\}", told["detail"])) - {str(cell).strip()}
        elif kind == "members" and found.value is not None:
            assert accepted(field, found.value)

    @given(st.sampled_from(["birth_date", "joined_on", "citizen_id", "phone", "gender"]), CELLS)
    @settings(max_examples=longer(300), deadline=None)
    def test_a_proposal_is_one_that_would_be_taken(self, field: str, cell: Cell) -> None:
        found = parsed(field, cell)
        if found.problem is not None and found.problem.proposal is not None:
            again = parsed(field, found.problem.proposal)
            assert again.problem is None
            assert again.value == found.problem.proposal


def accepted(field: str, value: Any) -> bool:
    """Whether MemberCreate takes it (a photo and what is no field of it aside)."""
    schema = members.MemberCreate.model_fields.get(field)
    if schema is None or field in ("photo", "branch_id"):
        return True
    annotation: Any = schema.annotation
    for each in schema.metadata:
        annotation = Annotated[annotation, each]
    try:
        TypeAdapter(annotation).validate_python(value, strict=False)
    except ValidationError:
        return False
    return True
