"""Cursors: what a phone keeps of its scope comes back whole, and fits an address."""

from datetime import UTC, date, datetime
from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.models.base import new_id
from app.models.kernel.access import ROLE_RIGHTS, Right, Role
from app.models.kernel.units import UnitLevel
from app.security.sealing import Sealer
from app.services.kernel.manifest import manifest
from app.services.kernel.reach import Reach
from app.services.sync.cursors import Cursor, SnapshotWalk
from app.services.sync.packing import packed_scopes, unpacked_scopes
from app.services.sync.scopes import Part, Scope, versions

SEALER = Sealer(bytes(range(32)))
DAY = date(2026, 11, 30)
# The longest a cursor may be: addresses of 4 kB pass every proxy, and it is not alone in one.
MOST = 2_500
RIGHTS = frozenset(ROLE_RIGHTS[Role.commune_officer])

ids = st.integers(1, 2**31 - 1)
reaches = st.builds(
    Reach,
    st.sampled_from(UnitLevel),
    ids,
    st.lists(ids, max_size=4).map(tuple),
    former=st.lists(ids, max_size=4).map(tuple),
)
parts = st.tuples(reaches, st.frozensets(st.sampled_from(Right), min_size=1, max_size=3))
scopes = st.builds(Scope, st.frozensets(parts, max_size=6), st.frozensets(ids, max_size=3))


def communes(seed: int) -> frozenset[Part]:
    """148 communes of a reform, each made of one to five that were neighbours, in no order."""
    drawn = Random(seed)
    before = [range(1_000 + 5 * number, 1_005 + 5 * number) for number in range(148)]
    Random(148).shuffle(before)
    return frozenset(
        (
            Reach(
                UnitLevel.commune,
                9_000 + 2 * number,
                former=tuple(sorted(drawn.sample(merged, drawn.randint(1, 5)))),
            ),
            RIGHTS,
        )
        for number, merged in enumerate(before)
    )


def cursor(whole: Scope, perhaps: Scope, walk: SnapshotWalk | None) -> Cursor:
    given_at = datetime(2026, 11, 30, 8, tzinfo=UTC)
    has = versions(manifest().sync.values())
    account, device, epoch = new_id(), new_id(), new_id()
    return Cursor(
        *(account, device, epoch, 123_456_789, given_at, DAY, None, None, has),
        whole=whole,
        perhaps=perhaps,
        walk=walk,
    )


class TestScopes:
    @given(st.lists(scopes, max_size=3))
    def test_come_back_as_they_were(self, given_: list[Scope]) -> None:
        assert unpacked_scopes(packed_scopes(*given_)) == given_

    def test_that_are_alike_cost_hardly_more_than_one(self) -> None:
        one = Scope(communes(1), frozenset({1, 2}))
        fewer = Scope(frozenset(sorted(one.parts, key=str)[:140]), one.above)
        alone, three = (
            len(cursor(one, one, None).sealed(SEALER)),
            len(cursor(fewer, one, walk_of(one)).sealed(SEALER)),
        )
        assert three < alone + 200


def walk_of(scope: Scope, again: tuple[Reach, ...] = ()) -> SnapshotWalk:
    kinds = versions(manifest().sync.values())
    return SnapshotWalk(scope, DAY, kinds, again, "member", UUID(int=2**128 - 1))


class TestCursors:
    @pytest.mark.parametrize("moved", [0, 12])
    def test_of_an_officer_of_148_communes_fit_an_address(self, moved: int) -> None:
        scope = Scope(communes(1), frozenset({1, 2}))
        # Before the reform of last night others were merged.
        before = Scope(communes(2), frozenset({1, 2}))
        walk = walk_of(scope, scope.reaches[:moved])
        for each in (cursor(scope, scope, None), cursor(before, scope, walk)):
            sealed = each.sealed(SEALER)
            assert len(sealed) < MOST
            assert Cursor.opened(sealed, SEALER) == each
