"""What the columns of lists are called in files for people."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final

from pydantic import BaseModel

from app.data_files import DATA, load
from app.services.kernel.manifest import manifest
from app.workbooks import headers

FILE: Final = DATA / "headings.yaml"
# The name that stands beside an id, in a list without it.
UNIT_NAMES: Final[Mapping[str, str]] = {
    "branch_id": "branch_name",
    "commune_id": "commune_name",
    "province_id": "province_name",
    "unit_id": "unit_name",
    "parent_id": "parent_name",
}


def headings_of(schema: type[BaseModel], columns: Sequence[str]) -> list[str]:
    """In Vietnamese. A list that can be imported is called as the import calls its columns."""
    return [heading(schema, column) for column in columns]


def heading(schema: type[BaseModel], column: str) -> str:
    """A column without one (a test finds it) is called as the field is. A record is called as the list
    that shows more of it."""
    kinds = manifest().import_kinds.values()
    kind = next((k for k in kinds if k.listed is not None and issubclass(k.listed, schema)), None)
    if kind is not None and (spec := headers.fields(kind.name).get(column)) is not None:
        return spec.vi
    own, all_lists = _data()
    found = own.get(schema.__name__, {}).get(column) or all_lists.get(column)
    return found or manifest().labels.get(column, (column, column))[0]


@cache
def _data() -> tuple[Mapping[str, Mapping[str, str]], Mapping[str, str]]:
    """Headings in one list, by the name of its schema, and in all."""
    content = load(FILE)
    return content["lists"], content["columns"]


def with_unit_names(schema: type[BaseModel], columns: Sequence[str]) -> list[str]:
    """The columns, each id of a unit with the name of the unit behind it."""
    named: list[str] = []
    for column in columns:
        named.append(column)
        name = UNIT_NAMES.get(column)
        if name is not None and name not in schema.model_fields:
            named.append(name)
    return named
