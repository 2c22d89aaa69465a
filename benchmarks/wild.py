"""Lists as communes keep them, sent over HTTP: the share of their rows that is right, and of each
file the first rows that are not.

`python -m benchmarks.workbooks --wild`. The books and what is expected of them: `tests/workbooks/wild`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import uuid4

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from app.db import Database
from app.main import create_app
from app.services.demo.plan import Scale
from app.services.kernel import jobs
from benchmarks.databases import SQLiteFiles, working_folder
from benchmarks.imports import fill, settings_for
from tests.helpers.client import Api
from tests.workbooks.wild.books import SETS, Pair, measure_set
from tests.workbooks.wild.measure import Commune, Share

FAILURES_SHOWN = 2


def run() -> None:
    console = Console()
    with working_folder() as folder:
        databases = SQLiteFiles(folder)
        source = databases.create("demo")
        fill(source, Scale.small)

        @contextmanager
        def commune() -> Iterator[Commune]:
            url = databases.copy(source, uuid4().hex)
            settings = settings_for(url).model_copy(update={"log_requests": False})
            officer = Api(create_app(settings)).as_("phuongvi")
            database = Database(settings)
            yield Commune.of(officer, lambda: jobs.work_off(database))
            database.close()

        measured = {name: measure_set(commune, name) for name in SETS}
    for name, pairs in measured.items():
        console.print(_table(name, pairs))
        for _, accepted in pairs:
            for failure in accepted.failures[:FAILURES_SHOWN]:
                console.print(f"{accepted.name}: {failure}", soft_wrap=True, markup=False)


def _table(name: str, pairs: Sequence[Pair]) -> Table:
    at_once, accepted = (Share.of([pair[turn] for pair in pairs]) for turn in (0, 1))
    title = (
        f"{name}: right at once {at_once.right:.1f} %, once all is accepted {accepted.right:.1f} %; "
        f"silently wrong or lost {max(at_once.silent, accepted.silent):.1f} %"
    )
    shown = Table(title=title, box=SIMPLE_HEAD)
    for heading in ("file", "rows", "at once", "accepted", "silent"):
        shown.add_column(heading)
    for first, second in pairs:
        silent = max(first.silent, second.silent)
        shown.add_row(first.name, *map(str, (first.rows, first.right, second.right, silent)))
    return shown


if __name__ == "__main__":
    run()
