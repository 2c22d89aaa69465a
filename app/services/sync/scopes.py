"""What a phone keeps rows of: units, each with the rights over it that decide what the phone gets."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Self

from app.models.kernel.access import Right
from app.models.kernel.units import Unit, UnitLevel
from app.services.kernel.access import Actor, Db, HeldGrant
from app.services.kernel.actors import reach_of
from app.services.kernel.manifest import manifest
from app.services.kernel.offers import Circle, SyncData, SyncKind
from app.services.kernel.reach import Reach
from app.services.kernel.tracking import PATH

Rights = frozenset[Right]
# A unit with what is below it, and rights over it.
Part = tuple[Reach, Rights]


def rights_of(kind: SyncKind) -> Rights:
    """The rights that decide whether rows of a kind go to a phone, and with which columns."""
    _, tracked = manifest().by_entity[kind.entity]
    return frozenset({kind.right, *tracked.masks.values(), *kind.shown_by})


@dataclass(frozen=True, slots=True)
class Scope:
    """The units of an actor's grants, without the rights that no kind asks for. `above`: the units
    over these, whose invitations include them."""

    parts: frozenset[Part] = frozenset()
    above: frozenset[int] = frozenset()

    @classmethod
    def of(cls, db: Db, actor: Actor, unit: Unit | None) -> Self:
        """What the actor holds today; of a unit, what it has in common with that."""
        deciding = frozenset[Right]().union(*map(rights_of, manifest().sync.values()))
        inviting = {kind.right for kind in manifest().sync.values() if kind.invites is not None}
        held: defaultdict[Reach, Rights] = defaultdict(frozenset)
        above: set[int] = set()
        wanted = None if unit is None else reach_of(db, unit)
        for grant in actor.grants:
            if unit is None or wanted is None:
                reach: Reach | None = grant.reach
            else:
                reach = grant.common(wanted, unit)
            if reach is None:
                continue
            held[_with_ids_in_order(reach)] |= grant.rights & deciding
            if grant.rights & inviting:
                above |= _above(grant if unit is None or reach == grant.reach else unit, reach)
        parts = frozenset((reach, rights) for reach, rights in held.items() if rights)
        return cls(parts, frozenset(above))

    def __or__(self, other: Self) -> Self:
        return type(self)(self.parts | other.parts, self.above | other.above)

    def for_kind(self, kind: SyncKind) -> frozenset[Part]:
        """The same, as far as it decides about rows of a kind."""
        rights = rights_of(kind)
        return frozenset((reach, held & rights) for reach, held in self.parts if held & rights)

    def may_hold(self, kind: SyncKind) -> bool:
        """Whether rows of a kind may be in it: of others not even a key is sent."""
        return any(kind.right in rights for _, rights in self.parts)

    @property
    def reaches(self) -> tuple[Reach, ...]:
        return tuple(dict.fromkeys(reach for reach, _ in in_order(self.parts)))

    @property
    def circle(self) -> Circle:
        return Circle(self.reaches, self.above)


def units_above(actor: Actor, right: Right) -> frozenset[int]:
    """The units over those of which the actor holds the right."""
    held = [_above(grant, grant.reach) for grant in actor.grants if right in grant.rights]
    return frozenset[int]().union(*held)


def _above(place: HeldGrant | Unit, reach: Reach) -> frozenset[int]:
    if reach.level is UnitLevel.group:
        return frozenset()  # nothing belongs to a group
    path = (getattr(place, name) for name in PATH)
    return frozenset(unit_id for unit_id in path if unit_id is not None) - {reach.unit_id}


def with_all_above(actor: Actor, unit: Unit | None) -> frozenset[int]:
    """The units of the actor's grants, and `unit`, with all that they stand in."""
    places: list[HeldGrant | Unit] = [*actor.grants] if unit is None else [*actor.grants, unit]
    found = (getattr(place, name) for place in places for name in PATH)
    return frozenset(unit_id for unit_id in found if unit_id is not None)


def _with_ids_in_order(reach: Reach) -> Reach:
    return replace(
        reach, communes=tuple(sorted(reach.communes)), former=tuple(sorted(reach.former))
    )


def in_order(parts: Iterable[Part]) -> list[Part]:
    return sorted(parts, key=_place)


def _place(part: Part) -> tuple[Any, ...]:
    reach, rights = part
    return reach.level, reach.unit_id, reach.communes, reach.former, sorted(rights)


def differing(kind: SyncKind, *, whole: Scope | None, perhaps: Scope, wanted: Scope) -> Circle:
    """The units whose rows have to be looked at again: where the rights that decide about them are
    not those by which the phone has them.

    The phone has all rows of `whole` (None: no rows), and some of `perhaps`.
    """
    now = wanted.for_kind(kind)
    whole = Scope() if whole is None else whole
    changed = (now ^ whole.for_kind(kind)) | (perhaps.for_kind(kind) - now)
    above = (wanted.above ^ whole.above) | (perhaps.above - wanted.above)
    return Circle(
        tuple(dict.fromkeys(reach for reach, _ in in_order(changed))),
        above if kind.invites is not None else frozenset(),
    )


def fields_of(kind: SyncKind | SyncData) -> str:
    """A print of what rows of a kind consist of: another one when a release changes that."""
    names = sorted(kind.schema.model_fields.keys() - kind.derived)
    return f"{sum(hash_of(name) for name in names) % 2**32:08x}"


def hash_of(text: str) -> int:
    """The first eight bytes of SHA-256."""
    return int.from_bytes(sha256(text.encode()).digest()[:8])


def versions(kinds: Iterable[SyncKind | SyncData]) -> dict[str, str]:
    return {kind.name: fields_of(kind) for kind in kinds}
