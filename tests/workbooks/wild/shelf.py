"""A shelf of books: each is declared as what fills its sheets."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.workbooks.wild import files
from tests.workbooks.wild.sheets import Book, Sheet, expected

Fill = Callable[[str], Sheet | list[Sheet]]
Make = Callable[[Sequence[Sheet]], bytes]


@dataclass(frozen=True)
class Shelf:
    """`books[name]()` makes the book of that name."""

    books: dict[str, Callable[[], Book]]

    def book(self, name: str, make: Make | None = None) -> Callable[[Fill], Fill]:
        """Declares a book; `make` writes it where its ending is not enough. `fill` gets its name."""

        def register(fill: Fill) -> Fill:
            def build() -> Book:
                filled = fill(name)
                sheets = filled if isinstance(filled, list) else [filled]
                people = expected(sheets)
                return Book(name, make(sheets) if make else files.made(name, sheets), people)

            assert name not in self.books
            self.books[name] = build
            return fill

        return register
