"""Texts of problems are files: what they may hold, and what is refused when the server starts."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import ClassVar

import pytest

from app import errors, problem_texts
from app.errors import FieldError, Problem
from app.main import contract_app
from app.problem_texts import BadTexts, Language, Words, sentence
from app.services.capabilities import CAPABILITIES
from app.services.kernel import manifest
from app.services.kernel.manifest import Capability, Manifest

WELL = """
problems:
  pump_dry:
    status: 409
    title: {vi: Máy bơm cạn, en: The pump is dry}
    detail: {vi: "Máy bơm {pump} cạn nước.", en: "The pump {pump} is dry."}
fields:
  pump_unknown:
    detail: {vi: Không có máy bơm này., en: There is no such pump.}
    hint: {vi: Xem biển số., en: See its plate.}
hints:
  ask_the_miller: {vi: Hỏi người giữ cối., en: Ask the miller.}
words:
  PumpState:
    dry: {vi: cạn, en: dry}
"""


def written(folder: Path, text: str, name: str = "pumps.yaml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


@pytest.fixture
def as_before() -> Iterator[None]:
    yield
    manifest.use(Manifest(CAPABILITIES))


def ours() -> list[Path]:
    return sorted(errors.FOLDER.glob("*.yaml"))


def with_file(file: Path) -> tuple[Capability, ...]:
    """The capabilities, the first of them with one more file of texts."""
    first, *others = CAPABILITIES
    return (replace(first, problems=(*first.problems, file)), *others)


@pytest.mark.usefixtures("as_before")
class TestInstalling:
    def test_a_file_beside_ours_adds_its_codes(self, tmp_path: Path) -> None:
        errors.install([*ours(), written(tmp_path, WELL)])
        problem = Problem("pump_dry", pump="3", errors=[FieldError("body", "/p", "pump_unknown")])
        body = problem.render(language="vi", instance="/v1/pumps", request_id="r")
        assert (body["status"], body["title"]) == (409, "Máy bơm cạn")
        assert body["detail"] == "Máy bơm 3 cạn nước."
        assert body["errors"][0]["hint"] == "Xem biển số."
        assert Problem("not_found").status == 404

    def test_its_codes_are_in_the_contract(self, tmp_path: Path) -> None:
        contract = contract_app(with_file(written(tmp_path, WELL))).openapi()
        schemas = contract["components"]["schemas"]
        assert "pump_dry" in schemas["ProblemBody"]["properties"]["code"]["enum"]
        assert "pump_unknown" in schemas["FieldProblem"]["properties"]["code"]["enum"]

    def test_what_is_not_installed_any_more_is_gone(self, tmp_path: Path) -> None:
        errors.install([written(tmp_path, WELL)])
        with pytest.raises(BadTexts, match="not_found"):
            Problem("not_found").render(language="vi", instance="/", request_id="r")
        errors.install(ours())
        assert "pump_dry" not in errors.PROBLEMS

    def test_a_wrong_file_leaves_what_was_installed(self, tmp_path: Path) -> None:
        with pytest.raises(BadTexts):
            errors.install([*ours(), written(tmp_path, "problems: 1")])
        assert "not_found" in errors.PROBLEMS

    def test_a_server_with_a_wrong_file_does_not_start(self, tmp_path: Path) -> None:
        with pytest.raises(BadTexts, match=r"pumps\.yaml"):
            contract_app(with_file(written(tmp_path, "problems: 1")))

    def test_each_file_is_of_one_capability(self) -> None:
        named = [errors.FOLDER / file for each in CAPABILITIES for file in each.problems]
        assert sorted(named) == ours()


class TestFiles:
    def test_a_good_one_is_read(self, tmp_path: Path) -> None:
        texts = problem_texts.read(written(tmp_path, WELL))
        assert texts.problems["pump_dry"].detail["en"] == "The pump {pump} is dry."
        assert texts.words["PumpState"]["dry"]["vi"] == "cạn"

    @pytest.mark.parametrize(
        ("old", "new", "why"),
        [
            ("status: 409", "status: 418", "418 is no status"),
            ("status: 409", "status: '409'", "'409' is no status"),
            ("    status: 409\n", "", "pump_dry: status is missing"),
            ("    status: 409", "    status: 409\n    text: x", "pump_dry: text is unknown"),
            (", en: The pump is dry", "", "pump_dry.title: en is missing"),
            (", en: The pump is dry", ", en: ''", "pump_dry.title.en: '' is no text"),
            (", en: The pump is dry", ", en: no", "pump_dry.title.en: False is no text"),
            (", en: The pump is dry", ", fr: La pompe", "pump_dry.title: en is missing"),
            ("en: The pump is dry", "en: The pump is dry, fr: La pompe", "fr is unknown"),
            ("en: The pump is dry", "en: 'The pump {pump}', vi: 'Bơm {pump}'", "vi stands twice"),
            ("The pump {pump} is", "The pump {pumps} is", "different placeholders"),
            ("The pump {pump} is", "The pump is", "different placeholders"),
            ("The pump {pump} is", "The pump {} is", "no name of a placeholder"),
            ("The pump {pump} is", "The pump {pump is", "expected '}'"),
            ("The pump {pump} is", "The pump {pump.level} is", "no name of a placeholder"),
            ("Máy bơm cạn, en: The pump is dry", "'{a}', en: '{a}'", "the same for every"),
            ("There is no such pump.", "'{pump}'", "different placeholders"),
            ("en: See its plate.", "eng: See its plate.", "pump_unknown.hint: en is missing"),
            ("  pump_unknown:", "  Pump-Unknown:", "fields: 'Pump-Unknown'"),
            ("en: Ask the miller.", "en: ''", "ask_the_miller.en: '' is no text"),
            ("Hỏi người giữ cối., en: Ask the miller.", "'{a}', en: '{a}'", "gets no values"),
            ("words:", "wörter:", "wörter is unknown"),
            ("    dry: {vi: cạn, en: dry}", "    dry: {vi: cạn}", "PumpState.dry: en is missing"),
            ("  PumpState:", "  pump_state:", "words: 'pump_state'"),
            ("fields:", "problems:", "problems stands twice"),
            ("fields:", "- fields:", "while parsing"),
        ],
    )
    def test_a_wrong_one_is_named_with_what_is_wrong(
        self, tmp_path: Path, old: str, new: str, why: str
    ) -> None:
        assert old in WELL
        file = written(tmp_path, WELL.replace(old, new, 1))
        with pytest.raises(BadTexts) as refused:
            problem_texts.read(file)
        assert str(file) in str(refused.value)
        assert why in str(refused.value)

    @pytest.mark.parametrize("part", ["problems", "fields", "hints", "words"])
    def test_nothing_stands_in_two_files(self, tmp_path: Path, part: str) -> None:
        alone = re.search(rf"^{part}:\n(  .*\n)+", WELL, re.MULTILINE)
        assert alone
        again = written(tmp_path, alone[0], "again.yaml")
        with pytest.raises(BadTexts, match=r"again\.yaml: .* stands in another file"):
            problem_texts.together([written(tmp_path, WELL), again])

    def test_words_are_found_in_any_file(self, tmp_path: Path) -> None:
        worded = WELL.replace("{pump}", "{pump:ValveState}")
        pumps = written(tmp_path, worded)
        with pytest.raises(BadTexts, match=r"pumps\.yaml: .* no words ValveState"):
            problem_texts.together([pumps])
        valves = written(
            tmp_path, "words:\n  ValveState:\n    shut: {vi: đóng, en: shut}", "v.yaml"
        )
        assert "ValveState" in problem_texts.together([pumps, valves]).words


class TestSentences:
    WORDS: ClassVar[Mapping[str, Words]] = {"PumpState": {"dry": {"vi": "cạn", "en": "dry"}}}

    @pytest.mark.parametrize(
        ("template", "value", "vi", "en"),
        [
            ("{x}", 3, "3", "3"),
            ("{x}", "dry", "dry", "dry"),
            ("{x:PumpState}", "dry", "cạn", "dry"),
            ("{x:PumpState}", ["dry", "dry"], "cạn, cạn", "dry, dry"),
            ("{x:PumpState}", "bent", "bent", "bent"),
            ("{x}", {"vi": "Chủ tịch", "en": "chair"}, "Chủ tịch", "chair"),
            ("{x}", [{"vi": "nước", "en": "water"}, "gạo"], "nước, gạo", "water, gạo"),
            ("{x:day}", "2026-02-01", "01/02/2026", "2026-02-01"),
            ("{x:day}", date(2026, 2, 1), "01/02/2026", "2026-02-01"),
            ("{x}", date(2026, 2, 1), "01/02/2026", "2026-02-01"),
            ("{x:day}", "?", "?", "?"),
            ("{{x}} {y}", 3, "{x} ?", "{x} ?"),
        ],
    )
    def test_hold_values_as_people_write_them(
        self, template: str, value: object, vi: str, en: str
    ) -> None:
        both: tuple[tuple[Language, str], ...] = (("vi", vi), ("en", en))
        for language, said in both:
            assert sentence(template, {"x": value}, self.WORDS, language) == said
