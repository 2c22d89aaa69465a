"""Documents say a thing once, and what they point at is there."""

import re
import tokenize
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.config import Settings

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md"))
    if ".venv" not in path.parts
)


def paragraphs(path: Path) -> list[str]:
    """Prose of some length: no code, no table, no heading."""
    text = re.sub(r"```.*?```", "", path.read_text("utf-8"), flags=re.DOTALL)
    blocks = (" ".join(block.split()) for block in re.split(r"\n\s*\n", text))
    return [block for block in blocks if len(block) > 80 and block[0] not in "#|"]


def test_no_paragraph_stands_twice() -> None:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for path in DOCUMENTS:
        for paragraph in paragraphs(path):
            found[paragraph].append(path.relative_to(ROOT).as_posix())
    assert len(found) > 200
    assert {text: places for text, places in found.items() if len(places) > 1} == {}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", path.read_text("utf-8"))
    assert [each for each in targets if not (path.parent / each).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_of_the_house_that_are_named_exist(path: Path) -> None:
    """`app/...`, `tests/...` and the like in backticks; names with a hole (<capability>) are patterns."""
    named = re.findall(
        r"`((?:app|tests|docs|alembic|benchmarks|openapi)/[\w./-]+\.\w+)", path.read_text("utf-8")
    )
    assert [each for each in named if not (ROOT / each).exists()] == []


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = sorted(int(path.name[:4]) for path in ROOT.glob("docs/decisions/[0-9]*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_writes_secrets_or_people_is_for_its_owner_alone(path: Path) -> None:
    """Backups and keys would be readable by everybody on the machine."""
    blocks = re.findall(r"```sh\n(.*?)```", path.read_text("utf-8"), flags=re.DOTALL)
    writes = re.compile(r"\.backup '|VACUUM INTO|pg_dump|openssl genpkey")
    assert [each for each in blocks if writes.search(each) and "umask 077" not in each] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_take_the_day_in_vietnam(path: Path) -> None:
    """On a machine in UTC it is another day from 17:00 on: with `TZ=ICT-7` it is right at any hour."""
    commands = "".join(re.findall(r"```sh\n.*?```", path.read_text("utf-8"), flags=re.DOTALL))
    days = [line for line in commands.splitlines() if re.search(r"date \+|date\.today\(", line)]
    assert [line for line in days if "TZ=ICT-7 " not in line] == []


class TestWords:
    """Standard English: a record is stored, a refusal is reported, a person is notified."""

    DIALECT = re.compile(
        r"\b(is|are|was|were|not|been) told\b|\bto be told\b|\b(the|her|his|a) way in\b|\btold (apart|alike|twice)\b|\b[Ss]he who\b"
    )

    def test_of_documents_are_standard_english(self) -> None:
        found = {
            f"{page.relative_to(ROOT)}: {line.strip()}"
            for page in DOCUMENTS
            for line in page.read_text().splitlines()
            if self.DIALECT.search(line)
        }
        assert found == set()

    def test_of_docstrings_and_comments_are_standard_english(self) -> None:
        found = {
            f"{path.relative_to(ROOT)}:{line}: {text}"
            for folder in ("app", "tests", "benchmarks", "docs", "alembic")
            for path in (ROOT / folder).rglob("*.py")
            for line, text in prose(path)
            if self.DIALECT.search(text)
        }
        assert found == set()


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """Comments and docstrings of a file, by their first lines."""
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            text = token.string
            if token.type == tokenize.COMMENT or (
                token.type == tokenize.STRING and text.startswith('"""')
            ):
                yield token.start[0], text


def test_the_guide_of_the_operator_has_every_setting() -> None:
    guide = (ROOT / "docs/guides/operator.md").read_text("utf-8")
    settings = {f"HOISO_{name.upper()}" for name in Settings.model_fields}
    assert {name for name in settings if f"`{name}`" not in guide} == set()


def test_the_map_of_the_code_has_every_capability_in_its_order() -> None:
    """The table of README.md, and the layers that import-linter holds; without rooms that are empty."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = config["tool"]["importlinter"]["contracts"]
    [layers] = [each["layers"] for each in contracts if each["name"].startswith("Capabilities: ")]
    rooms = [
        {name for name in re.findall(r"\w+", layer) if _modules(ROOT / "app/services" / name)}
        for layer in layers
    ]
    text = (ROOT / "README.md").read_text("utf-8")
    _, _, table = text.partition("| from above | what lives there |\n| --- | --- |\n")
    rows = re.findall(r"^\| ([\w, ]+) \|", table.partition("\n\n")[0], flags=re.MULTILINE)
    assert [set(row.split(", ")) for row in rows] == [room for room in rooms if room], (
        "the table in README.md, The map of the code, differs from the layers of pyproject.toml"
    )


def _modules(package: Path) -> bool:
    return any(each.name != "__init__.py" for each in package.glob("*.py"))
