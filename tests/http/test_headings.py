"""Every column of every list has a heading that people read, and no two of a list the same."""

import ast
from importlib import import_module
from pathlib import Path

import pytest
from pydantic import BaseModel

from app.data_files import load
from app.models.exports.exports import ExportDeletion
from app.services.kernel.headings import FILE, heading, headings_of, with_unit_names
from app.services.kernel.manifest import manifest
from app.workbooks import headers
from tests.conftest import ROOT


def lists() -> dict[str, type[BaseModel]]:
    """The rows of all lists, as the endpoints hand them to `listing` or `figures`, and of exports."""
    schemas: list[type[BaseModel]] = [
        ExportDeletion,
        *(kind.schema for kind in manifest().sync.values()),
    ]
    found = {schema.__name__: schema for schema in schemas}
    for file in sorted((ROOT / "app" / "api").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            match node:
                case (
                    ast.Call(func=ast.Name(id="listing"), args=[_, _, _, ast.Name(id=name), *_])
                    | ast.Call(
                        func=ast.Name(id="figures"), args=[_, _, _, _, ast.Name(id=name), *_]
                    )
                ):
                    module = import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
                    found[name] = getattr(module, name)
                case _:
                    pass
    return found


LISTS = lists()


@pytest.mark.parametrize("name", LISTS)
def test_every_column_has_a_heading_of_its_own(name: str) -> None:
    schema = LISTS[name]
    columns = with_unit_names(schema, list(schema.model_fields))
    shown = headings_of(schema, columns)
    assert [text for text, column in zip(shown, columns, strict=True) if text == column] == [], (
        f"these need a heading in {FILE}, or a label in the manifest of their capability"
    )
    keys = list(map(headers.key, shown))
    assert sorted({key for key in keys if keys.count(key) > 1}) == []


def test_no_heading_is_kept_for_nothing() -> None:
    content = load(FILE)
    columns = {c for s in LISTS.values() for c in with_unit_names(s, list(s.model_fields))}
    assert sorted(content["columns"].keys() - columns) == []
    for name, own in content["lists"].items():
        assert sorted(own.keys() - LISTS[name].model_fields.keys()) == []


def test_a_list_that_can_be_imported_is_read_again() -> None:
    for kind in manifest().import_kinds.values():
        if kind.listed is None:
            continue
        for column in kind.listed.model_fields:
            known = headers.fields(kind.name)
            if column in known:
                assert heading(kind.listed, column) == known[column].vi


def test_the_file_is_where_it_is_said_to_be() -> None:
    assert Path(FILE).exists()
