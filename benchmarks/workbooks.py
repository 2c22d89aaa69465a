"""A list of 23,000 people in a workbook: read, understood and given back; seconds and memory.

`make bench`, or `python -m benchmarks.workbooks --rows 23000`. Each step once, in CPU seconds; the
memory is the highest of the process. `--wild`: instead, how much of lists as they really are is
read right (`wild.py`).
"""

import random
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from datetime import time as midnight
from pathlib import Path
from typing import Annotated

import typer
import xlsxwriter
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from app.services.capabilities import install
from app.workbooks import guards, proposals, reading, rows, template, writing
from app.workbooks.said import RowVerdict
from app.workbooks.tables import BookFormat, Limits
from benchmarks import wild

HEAD = (
    "STT",
    "Họ và tên",
    "Ngày sinh",
    "Giới tính",
    "Chi hội",
    "Ngày vào Hội",
    "Nòng cốt",
    "Số điện thoại",
    "Số CCCD",
    "Địa chỉ",
    "Quê quán",
    "Dân tộc",
    "Tôn giáo",
    "Trình độ văn hoá",
    "Nghề nghiệp",
)
SURNAMES = ["Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Đỗ", "Đặng", "Bùi"]
MIDDLE = ["Thị", "Thuý", "Ngọc", "Minh", "Thu", "Kim"]
GIVEN = ["Hoà", "Lan", "Bưởi", "Phượng", "Quỳnh", "Nguyệt", "Hà", "Đào", "Yến", "Gấm"]
LIMITS = Limits(file_bytes=200_000_000, cells=20_000_000, characters=800_000_000)


def make(path: Path, count: int) -> None:
    """One row in a hundred has lost the zero of its citizen id."""
    draw = random.Random(1)
    with xlsxwriter.Workbook(str(path), {"constant_memory": True}) as book:
        sheet = book.add_worksheet("Hội viên")
        days = book.add_format({"num_format": "dd/mm/yyyy"})
        sheet.write(0, 0, "DANH SÁCH HỘI VIÊN")
        sheet.write_row(2, 0, HEAD)
        for number in range(1, count + 1):
            born = date(1940, 1, 1) + timedelta(days=draw.randrange(24_000))
            joined = date(1990, 1, 1) + timedelta(days=draw.randrange(12_000))
            name = " ".join(map(draw.choice, (SURNAMES, MIDDLE, MIDDLE, GIVEN)))
            card = f"0251{born.year % 100:02d}{draw.randrange(10**6):06d}"
            sheet.write_number(number + 2, 0, number)
            sheet.write_string(number + 2, 1, name)
            sheet.write_datetime(number + 2, 2, datetime.combine(born, midnight()), days)
            texts: tuple[str, ...] = (
                "Nữ",
                f"Chi hội khu {draw.randrange(30)}",
                f"{joined:%d/%m/%Y}",
            )
            texts += ("x" if draw.random() < 0.2 else "", f"09{draw.randrange(10**8):08d}")
            sheet.write_row(number + 2, 3, texts)
            sheet.write(number + 2, 8, int(card) if draw.random() < 0.01 else card)
            places = (f"Số {number}, khu 1", "Cẩm Khê, Phú Thọ", "Kinh", "Không", "12/12")
            sheet.write_row(number + 2, 9, (*places, "Làm ruộng"))


def main(
    count: Annotated[int, typer.Option("--rows")] = 23_000,
    real: Annotated[bool, typer.Option("--wild", help="Rows right in lists as they are.")] = False,
) -> None:
    install()
    if real:
        wild.run()
    else:
        time_steps(count)


def time_steps(count: int) -> None:
    figures: dict[str, float] = {}

    @contextmanager
    def step(name: str) -> Iterator[None]:
        started = time.process_time()
        yield
        figures[name] = time.process_time() - started

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "list.xlsx"
        make(source, count)
        before = _megabytes()
        with step("check before anything is parsed"):
            guards.check(source, LIMITS)
        with step("read (checked again)"):
            table = reading.read(source, limits=LIMITS)
        mapping = {
            field: each.column for field, each in proposals.propose(table, "members").items()
        }
        with step(f"every cell to a value ({len(mapping)} columns)"):
            found = list(rows.take(table, mapping, "members"))
        verdicts = {
            row.number: RowVerdict("error" if row.problems else "created", None, row.problems)
            for row in found
        }
        with step("their workbook back"):
            patched = writing.write_back(
                source, table, "members", verdicts, folder / "back.xlsx", applied=True
            )
        with step("a new workbook (of a csv)"):
            table.kind = BookFormat.csv
            writing.write_back(
                source, table, "members", verdicts, folder / "new.xlsx", applied=True
            )
        with step("rows in error alone"):
            wrong = writing.write_errors(table, "members", verdicts, folder / "errors.xlsx")
        with step("template"):
            template.write("members", folder / "template.xlsx")
        peak = _megabytes()
    shown = Table(box=SIMPLE_HEAD, title=f"A workbook of {count:,} rows x {len(HEAD)} columns")
    shown.add_column("step")
    shown.add_column("CPU s", justify="right")
    for label, seconds in figures.items():
        shown.add_row(label, f"{seconds:.2f}")
    console = Console()
    console.print(shown)
    console.print(f"{wrong:,} rows in error; changed in place: {patched}; {before} to {peak} MB")


def _megabytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


if __name__ == "__main__":
    typer.run(main)
