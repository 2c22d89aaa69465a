"""Scopes and units as JSON, short enough for a cursor in an address: what scopes have in common is
written once, and of ids only the steps from one to the next, which compress well."""

from collections.abc import Iterable, Sequence
from itertools import accumulate, chain, islice, pairwise
from typing import Any

from app.models.kernel.access import Right
from app.models.kernel.units import UnitLevel
from app.services.kernel.reach import Reach
from app.services.sync.scopes import Part, Scope, in_order


def packed_scopes(*scopes: Scope) -> list[Any]:
    """The parts of all of them, each with the number of its set of rights; of each scope which parts
    it has, as the bits of a number, and the units above."""
    parts = in_order(frozenset[Part]().union(*(scope.parts for scope in scopes)))
    held = [tuple(sorted(rights)) for _, rights in parts]
    sets = sorted(set(held))
    return [
        sets,
        [sets.index(each) for each in held],
        packed_reaches([reach for reach, _ in parts]),
        [[_bits(parts, scope), _steps(sorted(scope.above))] for scope in scopes],
    ]


def unpacked_scopes(packed: Sequence[Any]) -> list[Scope]:
    sets, numbers, reaches, scopes = packed
    rights = [frozenset(map(Right, each)) for each in sets]
    parts = list(
        zip(unpacked_reaches(reaches), (rights[number] for number in numbers), strict=True)
    )
    return [
        Scope(
            frozenset(part for place, part in enumerate(parts) if bits >> place & 1),
            frozenset(_ids(above)),
        )
        for bits, above in scopes
    ]


def packed_reaches(reaches: Sequence[Reach]) -> list[Any]:
    """In columns: units of one level, and what was merged into neighbours, have ids near each other."""
    return [
        [each.level for each in reaches],
        _steps(each.unit_id for each in reaches),
        *_packed_lists([each.communes for each in reaches]),
        *_packed_lists([each.former for each in reaches]),
    ]


def unpacked_reaches(packed: Sequence[Any]) -> tuple[Reach, ...]:
    levels, units, *lists = packed
    columns = (_ids(units), _unpacked_lists(*lists[:2]), _unpacked_lists(*lists[2:]))
    return tuple(
        Reach(UnitLevel(level), unit_id, communes, former=former)
        for level, unit_id, communes, former in zip(levels, *columns, strict=True)
    )


def _packed_lists(lists: Sequence[Sequence[int]]) -> tuple[list[int], list[int]]:
    """How long each is, and the steps through all of them."""
    return [len(each) for each in lists], _steps(chain.from_iterable(lists))


def _unpacked_lists(lengths: Sequence[int], steps: Iterable[int]) -> list[tuple[int, ...]]:
    ids = iter(_ids(steps))
    return [tuple(islice(ids, length)) for length in lengths]


def _bits(parts: Sequence[Part], scope: Scope) -> int:
    return sum(1 << place for place, part in enumerate(parts) if part in scope.parts)


def _steps(ids: Iterable[int]) -> list[int]:
    return [after - before for before, after in pairwise(chain([0], ids))]


def _ids(steps: Iterable[int]) -> tuple[int, ...]:
    return tuple(accumulate(steps))
