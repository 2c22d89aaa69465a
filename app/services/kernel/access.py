"""Who may see and do what: the one predicate behind rows, counts, exports and the change log.

Out of scope looks like not found (404). In scope without the right is 403, which names the missing
right and who can grant it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlmodel import Session, col

from app.clock import local_today
from app.errors import FieldError, Problem, not_found
from app.models.kernel.access import (
    ROLE_RIGHTS,
    Explanation,
    Grant,
    Granter,
    GrantRead,
    Right,
    Role,
)
from app.models.kernel.accounts import Account, AccountKind, AccountStatus
from app.models.kernel.units import Unit, UnitClosure, UnitLevel, UnitRef
from app.services.kernel.networks import AllowedNetworks
from app.services.kernel.reach import Placed, Reach, within

# Reads come on a plain connection, writes on a session: both execute statements.
Db = Connection | Session
# The revisions that If-Match names; None is any.
Expected = frozenset[int] | None


@dataclass(frozen=True, slots=True)
class HeldGrant:
    """A grant in force today, with the path of its unit."""

    id: UUID
    role: Role
    valid_from: date
    valid_to: date | None
    unit_id: int
    level: UnitLevel
    name: str
    province_id: int | None
    district_id: int | None
    commune_id: int | None
    branch_id: int | None
    communes: tuple[int, ...]
    # Units that were merged into it whole.
    former: tuple[int, ...] = ()
    # Of a delegation; any other grant has the rights of its role.
    delegated: frozenset[Right] = frozenset()
    appointment_id: UUID | None = None

    @property
    def rights(self) -> frozenset[Right]:
        return ROLE_RIGHTS[self.role] | self.delegated

    @property
    def reach(self) -> Reach:
        return Reach(self.level, self.unit_id, self.communes, self.province_id, self.former)

    def common(self, wanted: Reach, unit: Unit) -> Reach | None:
        """What it has in common with a unit, whose reach this is: of two nested units the inner one."""
        if wanted.contains(self):
            return self.reach
        return wanted if self.reach.contains(unit) else None

    def read(self) -> GrantRead:
        return GrantRead(
            id=self.id,
            unit=UnitRef(id=self.unit_id, level=self.level, name=self.name),
            role=self.role,
            valid_from=self.valid_from,
            valid_to=self.valid_to,
            appointment_id=self.appointment_id,
            rights=sorted(self.delegated) or None,
        )


@dataclass(frozen=True, slots=True)
class Actor:
    """Who is asking: made once from the token and kept for seconds. Never a Request."""

    account_id: UUID
    kind: AccountKind
    username: str
    session_id: UUID
    device: str | None
    member_id: UUID | None
    must_change_password: bool
    grants: tuple[HeldGrant, ...]
    # Those that ended with their units, while the past may still be counted by them.
    past: tuple[HeldGrant, ...] = ()
    # The epoch that the last restore began: revisions of before are not those of now.
    epoch: UUID | None = None
    # The enrolled device that the sign-in session belongs to.
    device_id: UUID | None = None
    # The access token of the last answer to a refresh, until it is seen (identity/refreshing).
    unseen_token: str | None = None
    # Of a program: the secret it signed in with, and where it may come from (None: anywhere).
    key_id: UUID | None = None
    networks: AllowedNetworks | None = None
    _reach: dict[Right, tuple[Reach, ...]] = field(default_factory=dict, compare=False, repr=False)
    _held: tuple[tuple[Reach, frozenset[Right]], ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        held = tuple((grant.reach, grant.rights) for grant in self.grants)
        object.__setattr__(self, "_held", held)

    @property
    def rights(self) -> list[Right]:
        return sorted({right for grant in self.grants for right in grant.rights})

    def reach(self, right: Right) -> tuple[Reach, ...]:
        """The units over which the right is held, none inside another."""
        found = self._reach.get(right)
        if found is None:
            holding = [grant for grant in self.grants if right in grant.rights]
            found = self._reach[right] = _outermost(holding)
        return found

    def covers(self, right: Right, row: Placed) -> bool:
        return any(reach.contains(row) for reach in self.reach(right))

    def counts(self, right: Right, row: Placed, last: date) -> bool:
        """Rows of this right may be counted there up to that day. Who held the right over a unit that
        has closed counts in its own days, and reads no record of them.
        """
        return self.covers(right, row) or any(
            reach.contains(row) for reach in self.past_reach(right, last)
        )

    def past_reach(self, right: Right, last: date) -> list[Reach]:
        """The units, closed since, over which the right was held on that day."""
        return [
            grant.reach
            for grant in self.past
            if right in grant.rights and grant.valid_to is not None and last <= grant.valid_to
        ]

    def hidden(self, masks: Mapping[str, Right], row: Placed) -> list[str]:
        """The fields of a row whose right the actor does not hold over it."""
        over = [rights for reach, rights in self._held if reach.contains(row)]
        held = over[0] if len(over) == 1 else frozenset[Right]().union(*over)
        return [name for name, right in masks.items() if right not in held]

    def owns(self, right: Right, row: Placed) -> bool:
        """The actor may grant the right; a right that was delegated cannot be granted on."""
        return owned(self.grants, right, row)


def owned(grants: Iterable[HeldGrant], right: Right, row: Placed) -> bool:
    """One of these grants, and no delegation, holds the right over the row."""
    return any(
        right in grant.rights and grant.role is not Role.delegate and grant.reach.contains(row)
        for grant in grants
    )


def _outermost(grants: Sequence[HeldGrant]) -> tuple[Reach, ...]:
    kept: dict[int, Reach] = {}
    for grant in grants:
        inside = any(
            other.unit_id != grant.unit_id and other.reach.contains(grant) for other in grants
        )
        if not inside:
            kept[grant.unit_id] = grant.reach
    return tuple(kept.values())


# -- the predicate


def visible(model: type[Any], actor: Actor, right: Right) -> sa.ColumnElement[bool]:
    """Rows of a model with level columns over which the actor holds the right."""
    return within(model, actor.reach(right))


def require_somewhere(db: Db, actor: Actor, right: Right) -> tuple[Reach, ...]:
    """The reach of a right, or 403 when the actor holds it nowhere."""
    reach = actor.reach(right)
    if not reach:
        raise forbidden(db, actor, right, None)
    return reach


def ensure(db: Db, actor: Actor, right: Right, row: Placed, *, seen_with: Right) -> None:
    """404 when the row is not visible by `seen_with`, 403 when visible without `right`."""
    if actor.covers(right, row):
        return
    if actor.covers(seen_with, row):
        raise forbidden(db, actor, right, _innermost(row))
    if not actor.reach(seen_with):
        raise forbidden(db, actor, seen_with, None)
    raise not_found()


def _innermost(row: Placed) -> int | None:
    own = getattr(row, "unit_id", None)
    return own or row.branch_id or row.commune_id or row.province_id


def forbidden(
    db: Db,
    actor: Actor,
    right: Right,
    unit_id: int | None,
    errors: Sequence[FieldError] = (),
) -> Problem:
    """403 that names the missing right, the units where someone can grant it, and the fields."""
    unit_ids = [unit_id] if unit_id else _units_of(db, actor)
    granters = who_may_grant(db, right, unit_ids)
    return Problem(
        "forbidden",
        right=right,
        errors=errors,
        extra={
            "required_right": right.value,
            "units": [granter.model_dump(mode="json") for granter in granters],
        },
    )


def _units_of(db: Db, actor: Actor) -> list[int]:
    """The units of the actor's grants; when all have ended, the one that looks after the account."""
    looking_after = sa.select(col(Account.unit_id)).where(col(Account.id) == actor.account_id)
    held = [grant.unit_id for grant in actor.grants]
    return held or list(db.execute(looking_after).scalars())


def who_may_grant(db: Db, right: Right, unit_ids: Iterable[int]) -> list[Granter]:
    """Units at or above the given ones whose officers hold the right and may grant it."""
    return who_holds(db, {right, Right.accounts_grant}, unit_ids)


def who_holds(
    db: Db,
    rights: Set[Right],
    unit_ids: Iterable[int],
    counts: Callable[[UUID], bool] = lambda _: True,
) -> list[Granter]:
    """Units at or above the given ones, nearest first, with those roles that hold all these rights
    and the number of their holders; only accounts that `counts` agrees to.
    """
    found: dict[int, Granter] = {}
    for row in _holders(db, rights, unit_ids):
        if not counts(row.account_id):
            continue
        granter = found.setdefault(
            row.id,
            Granter(unit=UnitRef(id=row.id, level=row.level, name=row.name), roles=[], holders=0),
        )
        if row.role not in granter.roles:
            granter.roles.append(row.role)
        granter.holders += 1
    return list(found.values())


def nearest_holders(
    db: Db, right: Right, unit_id: int, counts: Callable[[UUID], bool]
) -> list[UUID]:
    """The accounts of people with a right in the unit itself; where there are none that `counts`
    agrees to, of the nearest unit above it.
    """
    found: list[UUID] = []
    nearest: int | None = None
    for row in _holders(db, {right}, [unit_id]):
        if nearest is not None and row.depth > nearest:
            break
        if row.kind is AccountKind.person and counts(row.account_id):
            nearest = row.depth
            found.append(row.account_id)
    return list(dict.fromkeys(found))


def _holders(db: Db, rights: Set[Right], unit_ids: Iterable[int]) -> Sequence[Any]:
    """The roles in these units and above them that hold all these rights, with their accounts, the
    nearest units first."""
    roles = [role for role, held in ROLE_RIGHTS.items() if rights <= held]
    today = local_today()
    return db.execute(
        sa.select(
            col(Unit.id),
            col(Unit.level),
            col(Unit.name),
            col(Grant.role),
            col(Grant.account_id),
            col(Account.kind),
            sa.func.min(col(UnitClosure.depth)).label("depth"),
        )
        .join(UnitClosure, col(UnitClosure.ancestor_id) == col(Unit.id))
        .join(Grant, col(Grant.unit_id) == col(Unit.id))
        .join(Account, col(Account.id) == col(Grant.account_id))
        .where(
            col(Account.status) != AccountStatus.disabled,
            col(UnitClosure.descendant_id).in_(list(unit_ids)),
            col(UnitClosure.valid_to).is_(None),
            col(Grant.role).in_(roles),
            col(Grant.valid_from) <= today,
            sa.or_(col(Grant.valid_to).is_(None), col(Grant.valid_to) >= today),
        )
        .group_by(
            col(Unit.id),
            col(Unit.level),
            col(Unit.name),
            col(Grant.role),
            col(Grant.account_id),
            col(Account.kind),
        )
        .order_by(sa.text("depth"), col(Unit.id), col(Grant.role), col(Grant.account_id))
    ).all()


def explain(db: Db, actor: Actor, right: Right, target: Unit | None) -> Explanation:
    """Why the actor may or may not: the answer for a hidden unit equals that for none at all."""
    for grant in actor.grants:
        if target is not None and right in grant.rights and grant.reach.contains(target):
            return Explanation(
                allowed=True,
                right=right,
                unit=UnitRef.model_validate(target),
                by_grant=grant.read(),
                who_may_grant=[],
            )
    unit_ids = [target.id] if target is not None else _units_of(db, actor)
    return Explanation(
        allowed=False,
        right=right,
        unit=UnitRef.model_validate(target) if target is not None else None,
        by_grant=None,
        who_may_grant=who_may_grant(db, right, unit_ids),
    )


def ensure_revision(current: int, expected: Expected) -> None:
    """If-Match: refuse to change a revision the client has not seen."""
    if expected is not None and current not in expected:
        raise Problem("stale_revision", current=current, extra={"current_revision": current})
