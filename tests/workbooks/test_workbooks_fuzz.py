"""Broken files end in a table or in one of our refusals, quickly and in little memory.

`make soak` breaks more of them.
"""

import resource
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from app.errors import Problem
from app.workbooks import guards, proposals, reading, rows, writing
from app.workbooks.said import RowVerdict
from app.workbooks.tables import Limits
from tests.data import make_workbooks as ugly
from tests.data.mutate_workbooks import mutated
from tests.helpers.soak import SEED, longer

FILES = longer(300)
LIMITS = Limits(rows=20_000, unpacked_bytes=50_000_000)


def outcome(data: bytes, target: Path) -> str:
    try:
        table = reading.read(data, limits=LIMITS)
    except Problem as problem:
        problem.render(language="vi", instance="/", request_id="r")
        return problem.code
    mapping = {field: each.column for field, each in proposals.propose(table, "members").items()}
    verdicts = {
        row.number: RowVerdict("error" if row.problems else "created", None, row.problems)
        for row in rows.take(table, mapping, "members")
    }
    writing.write_back(data, table, "members", verdicts, target, applied=True)
    guards.check(target, Limits())
    return "read"


def megabytes() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


@pytest.mark.drawn
def test_broken_files_are_read_or_refused(tmp_path: Path) -> None:
    before, slowest = megabytes(), 0.0
    outcomes: Counter[str] = Counter()
    for place, (name, data) in enumerate(mutated(FILES, SEED)):
        started = time.process_time()
        try:
            outcomes[outcome(data, tmp_path / "back.xlsx")] += 1
        except BaseException:
            (tmp_path / f"broken-{place}-{name}").write_bytes(data)
            print(f"file {place} of seed {SEED}, made of {name}, kept in {tmp_path}")  # noqa: T201  # shown when it fails
            raise
        slowest = max(slowest, time.process_time() - started)
    assert set(outcomes) <= {"read", *guards.REFUSALS}
    assert outcomes["read"] > FILES // 10
    assert len(outcomes) >= 4
    assert slowest < 3
    assert megabytes() - before < 250, outcomes


@pytest.mark.parametrize("size", [0, 1, 7, 511, 512, 4096])
@pytest.mark.parametrize(
    "start", [b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"\xff\xfe", b"{"]
)
def test_files_cut_short_are_refused(start: bytes, size: int) -> None:
    with pytest.raises(Problem) as caught:
        reading.read(start + b"\0" * size)
    assert caught.value.code in guards.REFUSALS


@pytest.mark.parametrize("field", ["full_name", "branch_id", "address", "unit", "phone", "gender"])
@pytest.mark.parametrize(
    "value",
    [
        '"\\ud800"',
        "1e400",
        "NaN",
        str(10**400),
        '"' + "(" * 30_000 + '"',
        '{"a": ["\\udfff"]}',
        "[[1]]",
    ],
    ids=["half", "huge", "nan", "long", "brackets", "nested", "list"],
)
def test_lines_of_nonsense_end_in_a_row_or_a_problem(
    field: str, value: str, tmp_path: Path
) -> None:
    line = f'{{"{field}": {value}, "\\ud801": 1}}\n'
    assert outcome(line.encode(), tmp_path / "back.xlsx") in {"read", *guards.REFUSALS}


def test_tags_without_an_end_take_no_time() -> None:
    part = "xl/worksheets/sheet1.xml"
    for filling in (
        b"<row " * 400_000,
        b"<c " * 400_000,
        b"<f>1</f>" + b" " * 2_000_000,
        b"<c r=" * 300_000,
    ):
        book = ugly.with_part(ugly.plain(), part, b"<worksheet><sheetData>" + filling)
        started = time.process_time()
        with pytest.raises(Problem):
            reading.read(book)
        assert time.process_time() - started < 5
