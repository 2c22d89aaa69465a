"""What a phone gets, as WatermelonDB keeps it (docs/decisions/0049): rows by table, and flat.

A table is a kind. A column is a text, a number or a boolean: what is neither is JSON in a text. Ids are
texts there, and so are the columns that name a row by its id.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import orjson

from app.models.sync.pull import ColumnType
from app.services.kernel.manifest import manifest

# WatermelonDB adds it to every table.
_KEY = "id"
_TYPES: Mapping[str, ColumnType] = {
    "integer": ColumnType.number,
    "number": ColumnType.number,
    "boolean": ColumnType.boolean,
}


@cache
def columns_of(kind: str) -> Mapping[str, ColumnType]:
    """The columns of a table, from the schema of the kind; `id` is in every one."""
    offered = manifest().on_phones[kind]
    fields = offered.schema.model_json_schema(mode="serialization")["properties"]
    names = sorted(fields.keys() - offered.derived - {_KEY})
    return {name: _type_of(name, fields[name]) for name in names}


def _type_of(name: str, schema: Mapping[str, Any]) -> ColumnType:
    if name.endswith("_id"):
        return ColumnType.string
    types = {each.get("type") for each in schema.get("anyOf", [schema])} - {"null"}
    return _TYPES.get(types.pop(), ColumnType.string) if len(types) == 1 else ColumnType.string


def changes_of(items: Iterable[bytes]) -> dict[str, dict[str, list[Any]]]:
    """The items of a page (as SyncItem) as a set of changes: each id once, as it was said last.

    Nothing is `created`: the server does not know what the phone has, and WatermelonDB creates what it
    gets as updated and does not have.
    """
    said: defaultdict[str, dict[str, Mapping[str, Any] | None]] = defaultdict(dict)
    for text in items:
        item = orjson.loads(text)
        said[item["kind"]][str(item["id"])] = item["row"]
    return {
        name: {
            "created": [],
            "updated": [_flat(name, key, row) for key, row in rows.items() if row],
            "deleted": [key for key, row in rows.items() if row is None],
        }
        for name, rows in said.items()
    }


def _flat(kind: str, key: str, row: Mapping[str, Any]) -> dict[str, Any]:
    columns = columns_of(kind).items()
    return {_KEY: key} | {name: _value(row[name], column) for name, column in columns}


def _value(value: Any, column: ColumnType) -> Any:
    if value is None or column is not ColumnType.string or isinstance(value, str):
        return value
    return orjson.dumps(value).decode()
