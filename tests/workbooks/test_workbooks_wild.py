"""How much of the lists that communes really keep is read right: it never becomes less."""

import pytest

from tests.helpers.databases import ON_POSTGRESQL
from tests.workbooks.wild import floor
from tests.workbooks.wild.books import SETS, Communes, Pair, measure_all
from tests.workbooks.wild.measure import Share

pytestmark = pytest.mark.skipif(ON_POSTGRESQL, reason="a file is read alike on both databases")
Measured = dict[str, list[Pair]]


@pytest.fixture(scope="module")
def measured(communes: Communes) -> Measured:
    return measure_all(communes)


@pytest.mark.parametrize("name", SETS)
def test_as_many_rows_are_right_as_ever(measured: Measured, name: str) -> None:
    shares = tuple(Share.of([pair[turn] for pair in measured[name]]).right for turn in (0, 1))
    assert all(share >= least for share, least in zip(shares, floor.RIGHT[name], strict=True)), (
        shares
    )


def test_no_other_book_is_wrong_without_a_sign(measured: Measured) -> None:
    """A book that is no longer wrong leaves the list: it only becomes shorter."""
    silent = {
        each.name: each.failures
        for pairs in measured.values()
        for pair in pairs
        for each in pair
        if each.silent
    }
    new = silent.keys() - floor.SILENT
    assert not new, "\n".join(f"{name}: {why}" for name in sorted(new) for why in silent[name])
    assert silent.keys() >= floor.SILENT, f"take out: {sorted(floor.SILENT - silent.keys())}"


def test_every_book_is_made_the_same_again() -> None:
    for books in SETS.values():
        for make in books.values():
            assert make().people == make().people


def test_enough_of_them() -> None:
    assert len(SETS["fixed"]) >= 40
    assert {len(books) for name, books in SETS.items() if name != "fixed"} == {12}
