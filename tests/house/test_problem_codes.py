"""Each code that is raised has a text, each text is raised, and each value a text asks for is given."""

import sys
from enum import StrEnum
from pathlib import Path

import pytest

from app import errors, problem_texts
from app.models.members.members import MemberUpdate
from app.problem_texts import DAY, placeholders
from app.services import capabilities
from tests.helpers.codes import Codes, Raised, codes_of_app

TEXTS = problem_texts.together(sorted(errors.FOLDER.glob("*.yaml")))
KNOWN = {"problems": TEXTS.problems, "fields": TEXTS.fields, "hints": TEXTS.hints}
# Words for what is no enum of the code.
OF_NO_ENUM = {"Parameter", "MemberField", "Eligibility", "ConsentAnswer"}
# A sentence gives these as words, never as the code has them.
WORDED = {"status", "state", "kind", "role", "right", "level", "parent_level", "scheme", "fields"}


@pytest.fixture(scope="module")
def codes() -> Codes:
    return codes_of_app(KNOWN)


def asked(part: str, code: str) -> set[tuple[str, str]]:
    """The placeholders of a text, with their words."""
    if part == "problems":
        return {*placeholders(TEXTS.problems[code].detail["vi"])}
    if part == "hints":
        return set()
    text = TEXTS.fields[code]
    return {*placeholders(text.detail["vi"])} | (
        {*placeholders(text.hint["vi"])} if text.hint else set()
    )


class TestCodes:
    def test_can_be_read_wherever_they_are_raised(self, codes: Codes) -> None:
        assert codes.unclear == []

    def test_have_a_text(self, codes: Codes) -> None:
        assert [str(each) for each in codes.raised if each.code not in KNOWN[each.part]] == []

    def test_are_raised_where_they_have_one(self, codes: Codes) -> None:
        raised = {(each.part, each.code) for each in codes.raised}
        # A list tells a service's refusal at the row, under the same code.
        raised |= {("fields", code) for part, code in raised if part == "problems"}
        assert [
            (part, code)
            for part, texts in KNOWN.items()
            for code in texts
            if (part, code) not in raised
        ] == []

    def test_get_the_values_that_their_texts_ask_for(self, codes: Codes) -> None:
        assert [str(each) for each in codes.raised if not self.fits(each)] == []

    @staticmethod
    def fits(raised: Raised) -> bool:
        """`form` has a default, the seconds to wait are a header too, ids are for programs."""
        if raised.given is None:
            return True
        wanted = {name for name, _ in asked(raised.part, raised.code)} - {"form"}
        more = raised.given - wanted - {"form", "retry_after"}
        return wanted <= raised.given and all(name.endswith("_id") for name in more)

    def test_at_a_row_need_no_more_than_the_service_gave(self) -> None:
        for code in TEXTS.problems.keys() & TEXTS.fields.keys() - {"code_unknown"}:
            at_a_row = {name for name, _ in asked("fields", code)}
            assert at_a_row <= {name for name, _ in asked("problems", code)}, code

    def test_of_pydantic_need_no_more_than_it_gives(self) -> None:
        for code in {*errors._TYPES.values(), "not_null", "invalid", "email_invalid"}:
            assert {name for name, _ in asked("fields", code)} <= {"min", "max", "form"}, code

    def test_stand_in_the_file_of_the_lowest_capability_that_raises_them(
        self, codes: Codes
    ) -> None:
        order = [file for each in capabilities.CAPABILITIES for file in each.problems]
        order.sort(key=lambda file: file != "http.yaml")  # below all others
        home = {
            (part, code): file.name
            for file in errors.FOLDER.glob("*.yaml")
            for part, texts in (
                ("problems", problem_texts.read(file).problems),
                ("fields", problem_texts.read(file).fields),
                ("hints", problem_texts.read(file).hints),
            )
            for code in texts
        }
        assert sorted(order) == sorted({*home.values()})
        for each in codes.raised:
            raising = self.capability_of(each.file)
            if raising in order:
                assert order.index(home[each.part, each.code]) <= order.index(raising), str(each)

    @staticmethod
    def capability_of(file: Path) -> str:
        if file.parts[1] == "workbooks":
            return "imports.yaml"
        return f"{file.parts[2]}.yaml" if len(file.parts) > 3 else ""


class TestWords:
    def test_are_those_of_their_enum(self) -> None:
        enums = {
            name: each
            for module in list(sys.modules.values())
            if module.__name__.startswith("app.")
            for name, each in vars(module).items()
            if isinstance(each, type) and issubclass(each, StrEnum)
        }
        for name, words in TEXTS.words.items():
            if name not in OF_NO_ENUM:
                assert set(words) == {member.value for member in enums[name]}, name

    def test_name_every_field_that_a_correction_may_ask_for(self) -> None:
        assert set(TEXTS.words["MemberField"]) == set(MemberUpdate.model_fields), (
            "name the field in MemberField of app/data/problems/members.yaml"
        )

    def test_are_all_used(self) -> None:
        used = {spec for part in KNOWN for code in KNOWN[part] for _, spec in asked(part, code)}
        assert used - {"", DAY} == set(TEXTS.words)

    def test_stand_for_every_value_of_an_enum(self) -> None:
        for part, texts in KNOWN.items():
            for code in texts:
                plain = {name for name, spec in asked(part, code) if not spec}
                assert not plain & WORDED, code


class TestReading:
    """The reader of the source sees what it claims to see."""

    FILE = Path("app/services/pumps/pumps.py")

    def read(self, text: str) -> Codes:
        maker = (
            "class FieldError:\n    place: str\n    pointer: str\n    code: FieldCode\n"
            "    params: dict = {}\n"
            "def invalid(code: FieldCode, pointer: str, *, place: str, **params: Any): ...\n"
        )
        sources = {Path("app/errors.py"): maker, self.FILE: text}
        return Codes(sources, {"problems": ["dry"], "fields": ["wet", "cold"]})

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ('invalid("wet", "/x", place="body", level=1)', [("wet", {"level"})]),
            ('errors.invalid("wet" if x else "cold", "/x")', [("wet", set()), ("cold", set())]),
            ('FieldError("body", "/x", "wet", {"level": 1})', [("wet", {"level"})]),
            ('FieldError("body", "/x", "wet")', [("wet", set())]),
            ('p = {"a": 1}\nFieldError("body", "/x", code="wet", params=p)', [("wet", {"a"})]),
            ('found: dict[int, FieldCode] = {1: "wet"}', [("wet", None)]),
            ('found: dict[int, FieldCode] = {}\nfound[1] = "wet"', [("wet", None)]),
            ('found: dict[int, FieldCode] = {}\nfound |= {n: "wet" for n in x}', [("wet", None)]),
            ('def why() -> FieldCode | None:\n    return "wet" if x else None', [("wet", None)]),
            ('Why = Literal["wet", "cold"]\ndef why() -> Why:\n    return "wet"', [("wet", None)]),
            (
                'def _no(code: FieldCode):\n    return invalid(code, "/x", level=1)\n_no("wet")',
                [("wet", {"level"})],
            ),
        ],
    )
    def test_finds(self, text: str, found: list[tuple[str, set[str] | None]]) -> None:
        codes = self.read(text)
        assert codes.unclear == []
        assert [(each.code, each.given) for each in codes.raised] == found

    @pytest.mark.parametrize(
        "text",
        [
            'invalid(name, "/x")',
            'invalid(f"{name}_wet", "/x")',
            'FieldError("body", "/x", error.why)',
            'FieldError("body", "/x", why())',
        ],
    )
    def test_tells_of_what_it_cannot_read(self, text: str) -> None:
        assert len(self.read(text).unclear) == 1
