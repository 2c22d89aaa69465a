"""The texts of problems: what a file of `app/data/problems` may hold, and reading it.

A file has up to four parts. `problems` are answers (status, title, detail), `fields` are single
wrong fields (detail and, where it helps, a hint), `hints` stand in place of the usual hint of a
field where more is known, `words` are values of enums as people read them, by the name of the enum.
Texts are in Vietnamese and English, with the same placeholders: `{unit}`,
`{state:JobState}` for a value of the words `JobState`, `{closed_on:day}` for a date.
"""

import re
import string
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar, get_args

import yaml

Language = Literal["vi", "en"]
# Codes of problems, of wrong fields, of hints. Whatever hands one on is annotated with these, so that a
# test finds every code that may be raised.
ProblemCode: TypeAlias = str
FieldCode: TypeAlias = str
HintCode: TypeAlias = str
Text = Mapping[Language, str]
Words = Mapping[str, Text]

LANGUAGES: tuple[Language, ...] = get_args(Language)
STATUSES = frozenset(
    {400, 401, 403, 404, 405, 408, 409, 410, 412, 413, 415, 416, 422, 426, 428, 429, 431, 500, 503}
)
# What a placeholder may ask for beside words: a date, as people of the language write it.
DAY = "day"
_T = TypeVar("_T")
_CODE = re.compile(r"[a-z]+(_[a-z0-9]+)*")
_NAME = re.compile(r"[a-z]+(_[a-z]+)*")
_WORDS = re.compile(r"([A-Z][a-z]+)+")


class BadTexts(ValueError):
    """A file of texts that does not hold together; the message names it."""


@dataclass(frozen=True, slots=True)
class ProblemText:
    status: int
    title: Text
    detail: Text


@dataclass(frozen=True, slots=True)
class FieldText:
    """What is wrong with one field, and how to put it right."""

    detail: Text
    hint: Text | None = None


@dataclass(frozen=True, slots=True)
class Texts:
    problems: Mapping[str, ProblemText]
    fields: Mapping[str, FieldText]
    hints: Mapping[str, Text]
    words: Mapping[str, Words]


class _Loader(yaml.CSafeLoader):
    """Refuses a duplicate key, of which YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        made: dict[Hashable, Any] = super().construct_mapping(node, deep)
        if len(made) != len(node.value):
            keys = [key.value for key, _ in node.value]
            twice = sorted({key for key in keys if keys.count(key) > 1})
            raise BadTexts(f"{', '.join(twice)} stands twice")
        return made


@cache
def read(file: Path) -> Texts:
    try:
        content = yaml.load(file.read_bytes(), Loader=_Loader)  # noqa: S506  # a safe loader
        return _texts(content)
    except (BadTexts, yaml.YAMLError) as error:
        raise BadTexts(f"{file}: {error}") from error


def together(files: Iterable[Path]) -> Texts:
    """The texts of several files; each code and each list of words is in one of them."""
    problems: dict[str, ProblemText] = {}
    fields: dict[str, FieldText] = {}
    hints: dict[str, Text] = {}
    words: dict[str, Words] = {}
    files = tuple(files)
    for file in files:
        texts = read(file)
        _add(problems, texts.problems, file)
        _add(fields, texts.fields, file)
        _add(hints, texts.hints, file)
        _add(words, texts.words, file)
    for file in files:
        _ensure_words_exist(read(file), words, file)
    return Texts(problems, fields, hints, words)


def placeholders(template: str) -> frozenset[tuple[str, str]]:
    """Names with their words: `{unit} {state:JobState}` has ("unit", "") and ("state", "JobState")."""
    try:
        parsed = list(string.Formatter().parse(template))
    except ValueError as error:
        raise BadTexts(f"{template!r}: {error}") from None
    found = frozenset((name, spec or "") for _, name, spec, _ in parsed if name is not None)
    for name, _ in found:
        if not _NAME.fullmatch(name):
            raise BadTexts(f"{template!r}: {name!r} is no name of a placeholder")
    return found


class _Sentence(string.Formatter):
    def __init__(self, words: Mapping[str, Words], language: Language) -> None:
        self.words = words
        self.language = language

    def get_value(self, key: int | str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        return kwargs.get(str(key), "?")  # kept by an older version: its texts asked for less

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, list | tuple):
            return ", ".join(self.format_field(each, format_spec) for each in value)
        if isinstance(value, Mapping):
            return str(value[self.language])
        if format_spec == DAY or isinstance(value, date):
            return _day(value, self.language)
        known = self.words.get(format_spec, {}).get(str(value))
        return str(value) if known is None else known[self.language]


def sentence(
    template: str, params: Mapping[str, Any], words: Mapping[str, Words], language: Language
) -> str:
    """The template with its values: each of a list, and a mapping of languages by its language."""
    return _Sentence(words, language).vformat(template, (), params)


def _day(value: Any, language: Language) -> str:
    try:
        day = value if isinstance(value, date) else date.fromisoformat(value)
    except ValueError:
        return str(value)
    return f"{day:%d/%m/%Y}" if language == "vi" else day.isoformat()


def _add(known: dict[str, _T], more: Mapping[str, _T], file: Path) -> None:
    if twice := sorted(known.keys() & more.keys()):
        raise BadTexts(f"{file}: {', '.join(twice)} stands in another file already")
    known.update(more)


def _ensure_words_exist(texts: Texts, words: Mapping[str, Words], file: Path) -> None:
    templates = [kind.detail["vi"] for kind in texts.problems.values()]
    for field in texts.fields.values():
        templates += [field.detail["vi"], *([field.hint["vi"]] if field.hint else [])]
    for template in templates:
        for _, spec in placeholders(template):
            if spec and spec != DAY and spec not in words:
                raise BadTexts(f"{file}: {template!r}: there are no words {spec}")


def _texts(content: object) -> Texts:
    parts = _mapping(content, "the file", optional=("problems", "fields", "hints", "words"))
    return Texts(
        {code: _problem(code, body) for code, body in _entries(parts, "problems", _CODE)},
        {code: _field(code, body) for code, body in _entries(parts, "fields", _CODE)},
        {code: _hint(code, body) for code, body in _entries(parts, "hints", _CODE)},
        {name: _words(name, body) for name, body in _entries(parts, "words", _WORDS)},
    )


def _problem(code: str, content: object) -> ProblemText:
    body = _mapping(content, code, ("status", "title", "detail"))
    if body["status"] not in STATUSES:
        raise BadTexts(f"{code}: {body['status']!r} is no status of a problem")
    title = _text(f"{code}.title", body["title"])
    if placeholders(title["vi"]):
        raise BadTexts(f"{code}.title: a title is the same for every answer")
    return ProblemText(body["status"], title, _text(f"{code}.detail", body["detail"]))


def _field(code: str, content: object) -> FieldText:
    body = _mapping(content, code, ("detail",), ("hint",))
    hint = _text(f"{code}.hint", body["hint"]) if "hint" in body else None
    return FieldText(_text(f"{code}.detail", body["detail"]), hint)


def _hint(code: str, content: object) -> Text:
    hint = _text(code, content)
    if placeholders(hint["vi"]):
        raise BadTexts(f"{code}: a hint by itself gets no values")
    return hint


def _words(name: str, content: object) -> Words:
    return {
        str(value): _text(f"{name}.{value}", text)
        for value, text in _mapping(content, name, optional=None).items()
    }


def _text(where: str, content: object) -> Text:
    body = _mapping(content, where, LANGUAGES)
    for language, text in body.items():
        if not isinstance(text, str) or not text or text != text.strip():
            raise BadTexts(f"{where}.{language}: {text!r} is no text")
    if placeholders(body["vi"]) != placeholders(body["en"]):
        raise BadTexts(f"{where}: the languages have different placeholders")
    return {language: body[language] for language in LANGUAGES}


def _entries(
    parts: Mapping[str, Any], part: str, form: re.Pattern[str]
) -> Iterable[tuple[str, object]]:
    for name, content in _mapping(parts.get(part, {}), part, optional=None).items():
        if not form.fullmatch(name):
            raise BadTexts(f"{part}: {name!r} is written otherwise")
        yield name, content


def _mapping(
    content: object,
    where: str,
    required: Iterable[str] = (),
    optional: Iterable[str] | None = (),
) -> dict[str, Any]:
    """`content` with all of the required keys and no other but the optional; None takes any."""
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise BadTexts(f"{where}: {content!r} is no mapping of names")
    required = set(required)
    if missing := sorted(required - content.keys()):
        raise BadTexts(f"{where}: {', '.join(missing)} is missing")
    if optional is not None and (unknown := sorted(content.keys() - required - set(optional))):
        raise BadTexts(f"{where}: {', '.join(unknown)} is unknown")
    return content
