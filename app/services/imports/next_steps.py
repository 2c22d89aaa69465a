"""What to do next with a list: what settles most rows first, each step with its request.

The steps follow from what was counted (`tally`), from the columns and from the outcomes of rows.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.errors import FIELD_ERRORS, field_text
from app.models.imports.choices import DayOrder
from app.models.imports.imports import ImportState
from app.problem_texts import FieldCode, Language, placeholders
from app.services.imports.choices import Choices
from app.services.imports.refusals import WAITS
from app.services.imports.tally import Tally, Weighed, What
from app.services.kernel.list_kinds import Json, KindOfList
from app.workbooks import headers

# Of columns that may be the missing one, so many are named.
_MOST_COLUMNS: Final = 5
# Vietnamese, English.
_TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    "accept": (
        "{rows} dòng, cột {column}: {error} Lấy giá trị được đề nghị.",
        "{rows} rows, column {column}: {error} Take the values that are proposed.",
    ),
    "write_all_the_same": (
        "{rows} dòng: {error} Vẫn ghi các dòng đó.",
        "{rows} rows: {error} Write these rows all the same.",
    ),
    "leave_out": (
        "{rows} dòng có ô sai ở cột {column}: ghi các dòng đó, không ghi ô sai.",
        "{rows} rows have a wrong cell in the column {column}: write them without it.",
    ),
    "settle_all": (
        "{rows} dòng: lấy mọi giá trị được đề nghị, không ghi các ô sai không bắt buộc.",
        "{rows} rows: take all values that are proposed, leave out wrong cells that no row needs.",
    ),
    "read_column": (
        "{rows} dòng thiếu {label}: đọc cột {letter} ({header}) làm {label}.",
        "{rows} rows lack {label}: read the column {letter} ({header}) as it.",
    ),
    "read_again": (
        "Cột {letter} ({header}) không được đọc, như đã chọn: đọc cột này làm {label}.",
        "The column {letter} ({header}) is not read, as somebody chose: read it as {label}.",
    ),
    "month_first": (
        "{rows} dòng, cột {column}: {error} Đọc mọi ngày của tệp theo thứ tự tháng, ngày, năm.",
        "{rows} rows, column {column}: {error} Read all days of the file as month, day, year.",
    ),
    "decide": (
        "{rows} dòng có thể đã có hồ sơ hoặc trùng nhau: xem và quyết định từng dòng.",
        "{rows} rows may be on record, or repeat each other: look at them and decide each.",
    ),
    "correct": (
        "{rows} dòng phải sửa trong tệp: tải tệp các dòng lỗi.",
        "{rows} rows have to be corrected in the file: take the file of the rows in error.",
    ),
    "apply": (
        "Ghi {rows} dòng đã đúng.",
        "Write the {rows} rows that are in order.",
    ),
}


@dataclass(frozen=True, slots=True)
class Seen:
    """An import as it is shown: `found` is what its reading says."""

    made: Any
    kind: KindOfList
    found: Mapping[str, Any]
    tally: Tally
    choices: Choices

    @property
    def columns(self) -> Sequence[Json]:
        columns: Sequence[Json] = self.found.get("columns", [])
        return columns

    @property
    def is_month_first(self) -> bool:
        return bool(self.choices.options["day_order"] == DayOrder.month_first)

    @property
    def path(self) -> str:
        return f"/v1/imports/{self.made.id}"

    def called(self, field: str) -> str:
        """The header of the column that is read as this field, or the name of the field."""
        header = next((each["header"] for each in self.columns if each["field"] == field), None)
        spec = headers.fields(self.kind.name).get(field)
        return header or (spec.vi if spec else field)

    def in_error(self, code: str, *, proposed: bool) -> int:
        """How many rows have this error, with or without a proposal."""
        return sum(
            rows
            for line, rows in self.tally.items()
            if (line.what, line.code, line.proposed) == (What.error, code, proposed)
        )


def steps_of(seen: Seen) -> list[Json]:
    """The steps, that of most rows first; what is in order is written last."""
    made, steps = seen.made, []
    counts = made.summary or {}
    if made.state is ImportState.ready:
        steps += sorted(_choices(seen), key=lambda step: -step["rows"])
        steps += _unread(seen)
        if waiting := counts["duplicate"]:
            steps.append(_step("decide", waiting, "GET", f"{seen.path}/rows?outcome=duplicate"))
    left = counts.get("error", 0) - seen.tally[Weighed(What.every)]
    if left > 0 and made.state in (ImportState.ready, ImportState.applied):
        steps.append(_step("correct", left, "GET", f"{seen.path}/errors-file"))
    due = counts.get("created", 0) + counts.get("updated", 0)
    if due and made.state is ImportState.ready:
        steps.append(_step("apply", due, "POST", f"{seen.path}/apply", {}))
    return steps


def _step(
    text: str, rows: int, method: str, path: str, body: Json | None = None, **params: Any
) -> Json:
    told = {"rows": rows, **params}
    return {
        "text_vi": _said(text, "vi", told),
        "text_en": _said(text, "en", told),
        "rows": rows,
        "request": {"method": method, "path": path, "body": body},
    }


def _said(text: str, language: Language, params: Mapping[str, Any]) -> str:
    code = params.get("error")
    error = {} if code is None else {"error": _meaning(code, language)}
    return _TEXTS[text][language == "en"].format_map({**params, **error})


def _meaning(code: FieldCode, language: Language) -> str:
    """What an error says of all its cells: what it says of one is left open."""
    named = placeholders(FIELD_ERRORS[code].detail[language])
    return field_text(code, {name: "…" for name, _ in named}, language)["detail"]


# -- what may be chosen once for the whole list


def _choices(seen: Seen) -> Iterator[Json]:
    codes, fields = _proposed_codes(seen), _optional_fields(seen)
    if len(codes) + len(fields) > 1 and (rows := seen.tally[Weighed(What.every)]):
        yield _chosen(seen, "settle_all", rows, _accepted(seen, *codes) | _left_out(seen, *fields))
    yield from _columns_to_read(seen)
    for code in codes:
        rows = seen.in_error(code, proposed=True)
        named = sorted({line.field for line in seen.tally if line.code == code and line.proposed})
        column = ", ".join(map(seen.called, named))
        yield _chosen(seen, "accept", rows, _accepted(seen, code), error=code, column=column)
        if code == "date_month_first" and not seen.is_month_first:
            body = {"day_order": DayOrder.month_first}
            yield _chosen(seen, "month_first", rows, body, error=code, column=column)
    for code in _waiting_codes(seen):
        rows = seen.in_error(code, proposed=False)
        yield _chosen(seen, "write_all_the_same", rows, _accepted(seen, code), error=code)
    for field in fields:
        rows = seen.tally[Weighed(What.column, field)]
        yield _chosen(seen, "leave_out", rows, _left_out(seen, field), column=seen.called(field))


def _chosen(seen: Seen, text: str, rows: int, body: Json, **params: Any) -> Json:
    return _step(text, rows, "PATCH", seen.path, body, **params)


def _proposed_codes(seen: Seen) -> list[str]:
    return sorted({line.code for line in seen.tally if line.what is What.error and line.proposed})


def _optional_fields(seen: Seen) -> list[str]:
    return sorted(line.field for line in seen.tally if line.what is What.column)


def _waiting_codes(seen: Seen) -> list[str]:
    return sorted({line.code for line in seen.tally if line.what is What.error} & WAITS)


def _accepted(seen: Seen, *codes: str) -> Json:
    return {"accept": sorted({*seen.choices.options["accept"], *codes})}


def _left_out(seen: Seen, *fields: str) -> Json:
    chosen = seen.choices.options["leave_out"]
    return {"leave_out": {**chosen, "fields": sorted({*chosen["fields"], *fields})}}


def _columns_to_read(seen: Seen) -> Iterator[Json]:
    """A field that rows need and no column is read as: one of those that are not read may be it."""
    known = {column["field"] for column in seen.columns}
    unread = [each for each in seen.columns if each["field"] is None and each["examples"]]
    for line, rows in seen.tally.items():
        if line.what is not What.error or line.code != "required" or line.field in known:
            continue
        for column in unread[:_MOST_COLUMNS]:
            body = {"mapping": {line.field: column["letter"]}}
            told = {
                "label": seen.called(line.field),
                "letter": column["letter"],
                "header": column["header"],
            }
            yield _chosen(seen, "read_column", rows, body, **told)


def _unread(seen: Seen) -> Iterator[Json]:
    """Columns that are not read because somebody chose so, for this list or an earlier one."""
    for column in seen.columns:
        if (field := column.get("instead_of")) is None:
            continue
        told = {"letter": column["letter"], "header": column["header"], "label": seen.called(field)}
        body = {"mapping": {field: column["letter"]}}
        yield _chosen(seen, "read_again", seen.found["rows_read"], body, **told)
