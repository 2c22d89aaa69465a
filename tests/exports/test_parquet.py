"""Exports as Parquet: the same rows as NDJSON, in columns of a type each."""

import io
import json
from datetime import date, datetime
from typing import Any

import pytest
from arro3.io import read_parquet

from app.models.members.members import MemberRead
from app.services.exports import parquet
from tests.exports.asking import Work, content, exported
from tests.helpers.answers import Json
from tests.helpers.client import Api


def table(data: bytes) -> tuple[dict[str, str], list[Json]]:
    """The types of the columns, and the rows."""
    read = read_parquet(io.BytesIO(data)).read_all()
    names = read.column_names
    columns = [read.column(name).to_pylist() for name in names]
    types = {name: str(read.schema.field(name).type) for name in names}
    return types, [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def as_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value


def in_a_cell(value: Any) -> Any:
    is_nested = isinstance(value, list | dict)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) if is_nested else value


def test_all_kinds_are_as_in_ndjson(officer: Api, work: Work) -> None:
    plain = {file["kind"]: file for file in exported(officer, work)["files"]}
    typed: dict[str, dict[str, str]] = {}
    for file in exported(officer, work, format="parquet")["files"]:
        assert file["name"] == f"{file['kind']}.parquet"
        typed[file["kind"]], rows = table(content(officer, file))
        lines = content(officer, plain[file["kind"]]).splitlines()
        wanted = [{n: in_a_cell(v) for n, v in json.loads(line).items()} for line in lines]
        for row, other in zip(rows, wanted, strict=True):
            for name in other.keys() | row.keys():
                found, expected = as_json(row[name]), other[name]
                if typed[file["kind"]][name].startswith("Timestamp") and expected is not None:
                    found, expected = map(datetime.fromisoformat, (found, expected))
                assert found == expected, (file["kind"], name)
    member = typed["member"]
    assert ("Utf8" in member["birth_date"], "Boolean" in member["core"]) == (True, True)
    assert "Int64" in member["revision"]
    assert "Int64" in typed["unit"]["id"]
    assert any("Date32" in each for each in typed["unit"].values())


def test_a_write_that_fails_comes_out_as_it_was() -> None:
    """The writer of the library would end the thread."""

    def full(_: bytes) -> None:
        raise OSError(28, "No space left on device")

    rows = [{"id": str(number), "full_name": "x" * 500} for number in range(50_000)]
    pages = (rows[start : start + 2_000] for start in range(0, len(rows), 2_000))
    with pytest.raises(OSError, match="No space left"):
        parquet.write(full, ["id", "full_name"], MemberRead, pages)

    def broken() -> Any:
        yield rows[:10]
        raise RuntimeError("the database is away")

    with pytest.raises(RuntimeError, match="away"):
        parquet.write(lambda _: None, ["id", "full_name"], MemberRead, broken())
