"""What a phone keeps rows of: units, each with the rights over it that decide what the phone gets."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Self

from app.models.kernel.access import Right
from app.models.kernel.units import Unit, UnitLevel
from app.services.kernel.access import Actor, Db, HeldGrant
from app.services.kernel.actors import reach_of
from app.services.kernel.manifest import manifest
from app.services.kernel.offers import SyncKind
from app.services.kernel.reach import Reach

Rights = frozenset[Right]
# A unit with what is below it, and rights over it.
Part = tuple[Reach, Rights]


def rights_of(kind: SyncKind) -> Rights:
    """The rights that decide whether rows of a kind go to a phone, and with which columns."""
    _, tracked = manifest().by_entity[kind.entity]
    return frozenset({kind.right, *tracked.masks.values(), *kind.shown_by})


@dataclass(frozen=True, slots=True)
class Scope:
    """The units of an actor's grants, without the rights that no kind asks for."""

    parts: frozenset[Part] = frozenset()

    @classmethod
    def of(cls, db: Db, actor: Actor, unit: Unit | None) -> Self:
        """What the actor holds today; of a unit, what it has in common with that."""
        deciding = frozenset[Right]().union(*map(rights_of, manifest().sync.values()))
        held: defaultdict[Reach, Rights] = defaultdict(frozenset)
        for grant in actor.grants:
            reach = grant.reach if unit is None else _common(db, grant, unit)
            if reach is not None:
                held[_in_order(reach)] |= grant.rights & deciding
        return cls(frozenset((reach, rights) for reach, rights in held.items() if rights))

    def __or__(self, other: Self) -> Self:
        return type(self)(self.parts | other.parts)

    def for_kind(self, kind: SyncKind) -> frozenset[Part]:
        """The same, as far as it decides about rows of a kind."""
        rights = rights_of(kind)
        return frozenset((reach, held & rights) for reach, held in self.parts if held & rights)

    def may_hold(self, kind: SyncKind) -> bool:
        """Whether rows of a kind may be in it: of others not even a key is told."""
        return any(kind.right in rights for _, rights in self.parts)

    @property
    def reaches(self) -> tuple[Reach, ...]:
        return tuple(dict.fromkeys(reach for reach, _ in sorted(self.parts, key=_place)))

    def packed(self) -> list[Any]:
        """As JSON: the sets of rights, and of each unit its set."""
        sets = sorted({tuple(sorted(rights)) for _, rights in self.parts})
        return [
            sets,
            [
                [*packed_reach(reach), sets.index(tuple(sorted(rights)))]
                for reach, rights in sorted(self.parts, key=_place)
            ],
        ]

    @classmethod
    def unpacked(cls, packed: Sequence[Any]) -> Self:
        sets, parts = packed
        return cls(
            frozenset(
                (unpacked_reach(reach), frozenset(map(Right, sets[number])))
                for *reach, number in parts
            )
        )


def packed_reach(reach: Reach) -> list[Any]:
    return [reach.level, reach.unit_id, reach.communes, reach.former]


def unpacked_reach(packed: Sequence[Any]) -> Reach:
    level, unit_id, communes, former = packed
    return Reach(UnitLevel(level), unit_id, tuple(communes), former=tuple(former))


def _common(db: Db, grant: HeldGrant, unit: Unit) -> Reach | None:
    """What a grant and a unit have in common: of two nested units the inner one."""
    wanted = reach_of(db, unit)
    if wanted.contains(grant):
        return grant.reach
    return wanted if grant.reach.contains(unit) else None


def _in_order(reach: Reach) -> Reach:
    return replace(
        reach, communes=tuple(sorted(reach.communes)), former=tuple(sorted(reach.former))
    )


def _place(part: Part) -> tuple[Any, ...]:
    reach, rights = part
    return reach.level, reach.unit_id, reach.communes, reach.former, sorted(rights)


def differing(
    kind: SyncKind, *, whole: Scope | None, perhaps: Scope, wanted: Scope
) -> tuple[Reach, ...]:
    """The units whose rows have to be looked at again: where the rights that decide about them are
    not those by which the phone has them.

    The phone has all rows of `whole` (None: no rows), and some of `perhaps`.
    """
    now = wanted.for_kind(kind)
    had = frozenset[Part]() if whole is None else whole.for_kind(kind)
    changed = (now ^ had) | (perhaps.for_kind(kind) - now)
    return tuple(dict.fromkeys(reach for reach, _ in sorted(changed, key=_place)))


def fields_of(kind: SyncKind) -> str:
    """A print of what rows of a kind consist of: another one when a release changes that."""
    names = sorted(kind.schema.model_fields.keys() - kind.derived)
    return f"{sum(hash_of(name) for name in names) % 2**32:08x}"


def hash_of(text: str) -> int:
    """The first eight bytes of SHA-256."""
    return int.from_bytes(sha256(text.encode()).digest()[:8])


def versions(kinds: Iterable[SyncKind]) -> Mapping[str, str]:
    return {kind.name: fields_of(kind) for kind in kinds}
