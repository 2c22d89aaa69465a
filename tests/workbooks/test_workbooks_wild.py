"""How much of the lists that communes really keep is read right: it never becomes less."""

import pytest

from tests.helpers.databases import ON_POSTGRESQL
from tests.workbooks.wild import floor
from tests.workbooks.wild.books import SETS, Communes, Pair, measure_set
from tests.workbooks.wild.measure import Share

pytestmark = pytest.mark.skipif(ON_POSTGRESQL, reason="a file is read alike on both databases")


@pytest.fixture(scope="module", params=SETS)
def measured(request: pytest.FixtureRequest, communes: Communes) -> tuple[str, list[Pair]]:
    return request.param, measure_set(communes, request.param)


def test_as_many_rows_are_right_as_ever(measured: tuple[str, list[Pair]]) -> None:
    name, pairs = measured
    shares = tuple(Share.of([pair[turn] for pair in pairs]).right for turn in (0, 1))
    assert all(share >= least for share, least in zip(shares, floor.RIGHT[name], strict=True)), (
        shares
    )


def test_no_other_book_is_wrong_without_a_sign(measured: tuple[str, list[Pair]]) -> None:
    """A book that is no longer wrong leaves the list: it only becomes shorter."""
    name, pairs = measured
    silent = {each.name: each.failures for pair in pairs for each in pair if each.silent}
    known = floor.SILENT & SETS[name].keys()
    new = silent.keys() - known
    assert not new, "\n".join(f"{book}: {why}" for book in sorted(new) for why in silent[book])
    assert silent.keys() >= known, f"take out: {sorted(known - silent.keys())}"


def test_every_book_is_made_the_same_again() -> None:
    for books in SETS.values():
        for make in books.values():
            assert make().people == make().people


def test_enough_of_them() -> None:
    assert {name for books in SETS.values() for name in books} >= floor.SILENT
    assert len(SETS["fixed"]) >= 40
    assert {len(books) for name, books in SETS.items() if name != "fixed"} == {12}
