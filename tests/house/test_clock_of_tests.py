"""Tests take the day when they run: the suite may run over midnight."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
CLOCKS = {"local_today", "today", "now", "utc_now", "utcnow", "time", "time_ns"}


def run_at_import(tree: ast.AST) -> Iterator[ast.AST]:
    """All that runs when a module is imported: bodies of classes, decorators and defaults too."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                for part in (*node.decorator_list, node.args):
                    yield from (part, *run_at_import(part))
            case ast.Lambda():
                yield from run_at_import(node.args)
            case _:
                yield from (node, *run_at_import(node))


def called(node: ast.AST) -> str | None:
    """The name of what is called, with its module or without."""
    match node:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name
        case _:
            return None


def readings(source: str) -> list[int]:
    """Lines that read a clock at import. `time(9)`, a time of day, reads none."""
    return [
        node.lineno
        for node in run_at_import(ast.parse(source))
        if isinstance(node, ast.Call) and called(node) in CLOCKS and not of_day(node)
    ]


def of_day(node: ast.Call) -> bool:
    return called(node) == "time" and bool(node.args or node.keywords)


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("DAY = local_today()", [1]),
        ("NOW = datetime.now(UTC)", [1]),
        ("DAYS = [clock.local_today() for _ in range(2)]", [1]),
        ("class A:\n    day = date.today()", [2]),
        ("def f(day=local_today()): ...", [1]),
        ("@mark(utc_now())\ndef f(): ...", [1]),
        ("def f():\n    return local_today()", []),
        ("read = lambda: time.time()", []),
        ("NOON = time(12)", []),
    ],
)
def test_finds_what_it_is_for(source: str, lines: list[int]) -> None:
    assert readings(source) == lines


def test_no_test_reads_the_clock_at_import() -> None:
    found = [
        f"{path.relative_to(TESTS)}:{line}"
        for path in sorted(TESTS.rglob("*.py"))
        for line in readings(path.read_text(encoding="utf-8"))
    ]
    assert not found, found
