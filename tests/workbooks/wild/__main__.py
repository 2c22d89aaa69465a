"""`python -m tests.workbooks.wild FOLDER` writes all books, to be looked at with a spreadsheet."""

import sys
from pathlib import Path

from tests.workbooks.wild.books import SETS


def main(folder: Path) -> None:
    for name, books in SETS.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for file, make in books.items():
            (folder / name / file).write_bytes(make().content)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
