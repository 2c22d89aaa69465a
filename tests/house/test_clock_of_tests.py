"""Tests take the day when they run: the suite may run over midnight."""

import ast
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
CLOCKS = {"local_today", "today", "now", "utc_now", "utcnow", "time", "time_ns"}
# By the name of the module: its functions that read a clock.
Readers = Mapping[str, set[str]]


def run_at_import(tree: ast.AST) -> Iterator[ast.AST]:
    """All that runs when a module is imported: bodies of classes, decorators and defaults too."""
    left = [*ast.iter_child_nodes(tree)]
    while left:
        match left.pop():
            case ast.FunctionDef() | ast.AsyncFunctionDef() as function:
                left += [*function.decorator_list, function.args]
            case ast.Lambda() as function:
                left.append(function.args)
            case node:
                yield node
                left += ast.iter_child_nodes(node)


def reads_clock(call: ast.Call) -> bool:
    """`time(9)`, a time of day, reads none."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else called(call)
    return name in CLOCKS and not (name == "time" and (call.args or call.keywords))


def called(call: ast.Call) -> str | None:
    return call.func.id if isinstance(call.func, ast.Name) else None


def readings(tree: ast.Module, readers: Collection[str] = ()) -> list[int]:
    """Lines that read a clock at import, or call one of these functions that do."""
    return sorted(
        node.lineno
        for node in run_at_import(tree)
        if isinstance(node, ast.Call) and (reads_clock(node) or called(node) in readers)
    )


def readers_of(trees: Mapping[str, ast.Module]) -> Readers:
    """The functions that read a clock, or call one that does."""
    found: dict[str, set[str]] = {name: set() for name in trees}
    bodies = {
        (name, each.name): [node for node in ast.walk(each) if isinstance(node, ast.Call)]
        for name, tree in trees.items()
        for each in tree.body
        if isinstance(each, ast.FunctionDef)
    }
    names_in = {place: set(map(called, body)) for place, body in bodies.items()}
    new = [place for place, body in bodies.items() if any(map(reads_clock, body))]
    while new:
        for name, function in new:
            found[name].add(function)
        known = {name: known_in(tree, name, found) for name, tree in trees.items()}
        new = [
            (name, function)
            for (name, function), names in names_in.items()
            if function not in found[name] and names & known[name]
        ]
    return found


def known_in(tree: ast.Module, name: str, readers: Readers) -> set[str]:
    """The names by which a module calls functions that read a clock."""
    imported = {
        each.asname or each.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for each in node.names
        if each.name in readers.get(node.module or "", ())
    }
    return readers[name] | imported


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
    assert readings(ast.parse(source)) == lines


def test_finds_functions_that_read_it() -> None:
    days = "def ago():\n    return day()\ndef day():\n    return local_today()"
    used = "from days import ago as past\nFIRST = past()\nLATER = WhenRun(past)"
    trees = {"used": ast.parse(used), "days": ast.parse(days)}
    readers = readers_of(trees)
    assert readers == {"used": set(), "days": {"ago", "day"}}
    assert readings(trees["used"], known_in(trees["used"], "used", readers)) == [2]


def test_no_test_reads_the_clock_at_import() -> None:
    """Days among parameters are `WhenRun(ago, 1)`, of the day on which the test runs."""
    trees = {
        ".".join(path.relative_to(TESTS.parent).with_suffix("").parts): ast.parse(
            path.read_text(encoding="utf-8")
        )
        for path in sorted(TESTS.rglob("*.py"))
    }
    readers = readers_of(trees)
    found = [
        f"{name}:{line}"
        for name, tree in trees.items()
        for line in readings(tree, known_in(tree, name, readers))
    ]
    assert not found, found
