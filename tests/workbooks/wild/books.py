"""All books of the shelves, those the reader is made from and those it is not, and how they fare."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from tests.workbooks.wild.fixed_columns import COLUMNS
from tests.workbooks.wild.fixed_files import FILES
from tests.workbooks.wild.fixed_places import PLACES
from tests.workbooks.wild.fixed_values import VALUES
from tests.workbooks.wild.held_out import HELD_OUT
from tests.workbooks.wild.measure import Commune, Outcome, measure
from tests.workbooks.wild.sheets import Book
from tests.workbooks.wild.unseen import UNSEEN
from tests.workbooks.wild.unseen_again import UNSEEN_AGAIN
from tests.workbooks.wild.unseen_fifth import UNSEEN_FIFTH
from tests.workbooks.wild.unseen_fourth_copied import FOURTH_COPIED
from tests.workbooks.wild.unseen_fourth_own import FOURTH_OWN
from tests.workbooks.wild.unseen_third import UNSEEN_THIRD

Books = dict[str, Callable[[], Book]]
FIXED: Books = {
    name: make for shelf in (PLACES, COLUMNS, VALUES, FILES) for name, make in shelf.books.items()
}
SETS: dict[str, Books] = {
    "fixed": FIXED,
    "held out": HELD_OUT.books,
    "unseen": UNSEEN.books,
    "unseen again": UNSEEN_AGAIN.books,
    "unseen third": UNSEEN_THIRD.books,
    "unseen fourth": FOURTH_COPIED.books | FOURTH_OWN.books,
    "unseen fifth": UNSEEN_FIFTH.books,
}

# As it was sent, and once all that is proposed was accepted.
Pair = tuple[Outcome, Outcome]
# Opens a commune that no book has been sent to.
Communes = Callable[[], AbstractContextManager[Commune]]


def measure_set(communes: Communes, name: str) -> list[Pair]:
    """The books of one set, in a commune that has seen none of another."""
    books = SETS[name]
    with communes() as untouched:
        at_once = [measure(untouched, make()) for make in books.values()]
    with communes() as untouched:
        return [(first, _accepting(untouched, first, books)) for first in at_once]


def _accepting(commune: Commune, first: Outcome, books: Books) -> Outcome:
    if not first.proposed:
        return first
    return measure(commune, books[first.name](), accepting=True)
