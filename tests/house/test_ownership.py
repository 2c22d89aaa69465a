"""Any service may select columns of any table; only the package that owns a table selects its rows as
entities, inserts, updates or deletes them. The owners are those of the manifests."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from sqlmodel import SQLModel

from app.services.capabilities import CAPABILITIES

ROOT = Path(__file__).parents[2]
SERVICES = sorted((ROOT / "app" / "services").glob("*/*.py"))
TABLES = {table.__name__: table for each in CAPABILITIES for table in each.owned}
OWNERS = {table.__name__: each.name for each in CAPABILITIES for table in each.owned}
# Called with a table: they select, insert, update or delete its rows.
BY_ROW = {
    "select",
    "get",
    "get_one",
    "insert",
    "update",
    "delete",
    "insert_many",
    "upsert",
    "created_once",
    "sent_before",
    "revise",
    "update_many",
    "record_created",
    "record_updated",
    "record_deleted",
    "move_many",
    "record_erased",
}


def _returning() -> Iterator[tuple[str, str]]:
    """What each function of a service returns, by its path."""
    for path in SERVICES:
        module = f"app.services.{path.parent.name}.{path.stem}"
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.returns is not None:
                yield f"{module}.{node.name}", ast.unparse(node.returns)


RETURNED = {path: table for path, table in _returning() if table in OWNERS}


def test_every_table_has_one_owner() -> None:
    owned = [table for each in CAPABILITIES for table in each.owned]
    assert len(set(owned)) == len(owned)
    assert {table.__tablename__ for table in owned} == set(SQLModel.metadata.tables)
    assert len(TABLES) == len(owned)


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_rows_are_written_and_loaded_by_their_owner(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    strangers = {
        f"{table} of {OWNERS[table]} in line {line}"
        for table, line in touched(tree)
        if OWNERS[table] != path.parent.name
    }
    assert strangers == set()


@pytest.mark.parametrize(
    "code",
    [
        "select(Member)",
        "sa.select(Member).where(x)",
        "session.get(Member, 1)",
        "session.get_one(Member, 1, with_for_update=True)",
        "select(Unit.id, Member)",
        "sa.insert(Member)",
        "sa.update(Member).values(x=1)",
        "sa.delete(Member)",
        "insert_many(session, Member, rows)",
        "changes.revise(session, Member, old, new)",
        "session.add(Member(id=1))",
        "def f(member: Member) -> None: member.status = x",
        "def f(member: Member | None) -> None: setattr(member, name, x)",
        "def f(member: Member) -> None: session.delete(member)",
        "from app.services.members import record\ndef f(): m = record.restored(x); m.status = y",
        "from app.services.members.record import restored as r\ndef f(): m = r(x); s.delete(m)",
        "other = aliased(Member)\nselect(other)",
    ],
)
def test_strangers_would_be_found(code: str) -> None:
    assert "Member" in {table for table, _ in touched(ast.parse(code))}


@pytest.mark.parametrize(
    "code", ["select(Member.id)", "sa.select(col(Member.id)).join(Member, x)", "aliased(Member)"]
)
def test_columns_are_for_all(code: str) -> None:
    assert list(touched(ast.parse(code))) == []


def touched(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Tables whose rows this code loads as entities or writes, and where."""
    imported = dict(_imported(tree))
    aliases = dict(_aliases(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _called(node, aliases)
        elif isinstance(node, ast.FunctionDef):
            yield from _changed_entities(node, imported)


def _imported(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """What names of this file stand for: `app.services.members.record`, or a function in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from (
                (each.asname or each.name, f"{node.module}.{each.name}") for each in node.names
            )


def _aliases(tree: ast.AST) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("aliased("):
            table = ast.unparse(node.value).partition("(")[2].partition(",")[0].rstrip(")")
            for target in node.targets:
                if table in OWNERS:
                    yield ast.unparse(target), table


def _called(call: ast.Call, aliases: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    function = call.func
    if isinstance(function, ast.Name) and function.id in OWNERS:
        yield function.id, call.lineno
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if name in BY_ROW:
        for argument in call.args:
            if isinstance(argument, ast.Name):
                table = aliases.get(argument.id, argument.id)
                if table in OWNERS:
                    yield table, call.lineno


def _changed_entities(
    function: ast.FunctionDef, imported: Mapping[str, str]
) -> Iterator[tuple[str, int]]:
    """Entities that a function was given, or got from another, and changes or deletes."""
    entities = {
        argument.arg: name.id
        for argument in (*function.args.args, *function.args.kwonlyargs)
        if argument.annotation is not None
        for name in ast.walk(argument.annotation)
        if isinstance(name, ast.Name) and name.id in OWNERS
    }
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            table = _returned(node.value, imported)
            if table is not None:
                entities |= {ast.unparse(target): table for target in node.targets}
    for node in ast.walk(function):
        for changed in _changed(node):
            if isinstance(changed, ast.Name) and changed.id in entities:
                yield entities[changed.id], changed.lineno


def _returned(call: ast.Call, imported: Mapping[str, str]) -> str | None:
    """The table of which a function of another file returns an entity."""
    name, _, function = ast.unparse(call.func).partition(".")
    path = imported.get(name, "") + (f".{function}" if function else "")
    return RETURNED.get(path)


def _changed(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.Assign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            for each in target.elts if isinstance(target, ast.Tuple) else [target]:
                if isinstance(each, ast.Attribute):
                    yield each.value
    elif isinstance(node, ast.Call):
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if name == "setattr" or (name == "delete" and node.args):
            yield node.args[0]


# -- what is written past the unit of work is recorded in the change log

LEFT_OUT = {
    table.__name__: tracked.left_out
    for each in CAPABILITIES
    for table, tracked in each.tracked.items()
}
IN_BULK = {"insert", "update", "delete", "insert_many", "update_many", "upsert"}
RECORDS = {"record_created", "record_updated", "record_deleted", "move_many", "record_erased"}
# Written in bulk and not logged, and why.
NOT_LOGGED = {
    "duplicates.pairs DuplicatePair",  # suspicions are derived; what is decided of one is logged
    "identity.sessions Account",  # the same password, kept under new parameters
    "support.support Support",  # the columns of its place, which the log leaves out
    "units.carrying Unit",  # the same
}


def test_the_log_is_told_of_what_is_written_in_bulk() -> None:
    found = {
        f"{path.parent.name}.{path.stem} {table}"
        for path in SERVICES
        for table in unrecorded(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert found == NOT_LOGGED


@pytest.mark.parametrize(
    "code",
    [
        "session.execute(sa.update(Household).where(x).values(head_name=name))",
        "session.execute(sa.update(Household).values(**columns))",
        "session.execute(sa.delete(Household))",
        "insert_many(session, Household, rows); changes.record_created(session, Member, rows)",
    ],
)
def test_what_is_not_told_would_be_found(code: str) -> None:
    assert list(unrecorded(ast.parse(f"def f(): {code}"))) == ["Household"]


def test_what_is_told_or_left_out_is_well() -> None:
    told = "insert_many(session, Household, rows); changes.record_created(session, Household, rows)"
    left_out = "session.execute(sa.update(Household).values(sort_key=key))"
    assert list(unrecorded(ast.parse(f"def f(): {told}"))) == []
    assert list(unrecorded(ast.parse(f"def f(): {left_out}"))) == []


def unrecorded(tree: ast.Module) -> Iterator[str]:
    """Tracked tables that a function writes in bulk without recording it. A statement made at the
    top of a file is recorded anywhere in it."""
    for part in tree.body:
        recorded = set(_called_with(tree if isinstance(part, ast.Assign) else part, RECORDS))
        harmless = _leaving_the_log_alone(part)
        for node in ast.walk(part):
            for table in _tables_of(node, IN_BULK):
                if table not in recorded and node not in harmless:
                    yield table


def _called_with(tree: ast.AST, names: set[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        yield from _tables_of(node, names)


def _tables_of(node: ast.AST, names: set[str]) -> Iterator[str]:
    if not isinstance(node, ast.Call):
        return
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    if name in names:
        for argument in node.args:
            if isinstance(argument, ast.Name) and argument.id in LEFT_OUT:
                yield argument.id


def _leaving_the_log_alone(tree: ast.AST) -> set[ast.AST]:
    """UPDATEs of columns that the log leaves out."""
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "values":
            columns = {keyword.arg for keyword in node.keywords}
            for inner in ast.walk(node.func):
                for table in _tables_of(inner, {"update"}):
                    if columns and columns <= LEFT_OUT[table]:
                        found.add(inner)
    return found
