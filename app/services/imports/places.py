"""Where the rows of an import stand in its file: sheets and rows as its sender sees them."""

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

from app.services.imports import store
from app.services.kernel.list_kinds import Json
from app.workbooks import guards
from app.workbooks.tables import Part, Table


def as_json(table: Table) -> list[Json]:
    """The lists of a file, for `Places`."""
    return [_list(table, part) for part in table.parts]


def _list(table: Table, part: Part) -> Json:
    own = {column.index: part.places.get(column.index) for column in table.columns}
    return {
        "sheet": part.table.sheet,
        "header_row": part.table.header_row or None,
        "rows": len(part.table.rows),
        "branch": part.table.titled,
        "before": part.before,
        # The columns that stand elsewhere than in the first list, or nowhere.
        "letters": {
            guards.letter(index): None if at is None else guards.letter(at)
            for index, at in own.items()
            if at != index
        },
    }


class Places:
    """By the number of a row, which counts on from one sheet to the next."""

    def __init__(self, made: Any) -> None:
        """`made` is a row of `import`, with what was found in its file."""
        self.lists: list[Mapping[str, Any]] = store.content_of(made.reading).get("lists", [])
        self.starts = [each["before"] + (each["header_row"] or 0) for each in self.lists]
        self.several = len({each["sheet"] for each in self.lists}) > 1

    def _list(self, number: int) -> Mapping[str, Any] | None:
        return self.lists[max(bisect_right(self.starts, number) - 1, 0)] if self.lists else None

    def place(self, number: int) -> tuple[str | None, int | None]:
        """The sheet and the row in it; nothing once the file was deleted."""
        found = self._list(number)
        return (None, None) if found is None else (found["sheet"], number - found["before"])

    def text(self, number: int) -> str:
        """The row as a person finds it: "5", or "5 (Khu 2)" in a file of several sheets."""
        sheet, row = self.place(number)
        return f"{row} ({sheet})" if self.several else str(row or number)

    def shown(self, number: int, problem: Json) -> Json:
        """A problem of this row with the letter of its own sheet, and another row by its place."""
        found = self._list(number)
        if found is None:
            return problem
        letter, params = problem["letter"], problem["params"]
        if "row" in params:
            params = {**params, "row": self.text(params["row"])}
        return {**problem, "letter": found["letters"].get(letter, letter), "params": params}
