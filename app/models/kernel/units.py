"""Units of the union: a dated tree whose shape the law changes (architecture, section 3).

All validity is by whole days and inclusive at both ends, as Vietnamese decrees write it
("đến hết ngày 30/6/2025" = `valid_to` 2025-06-30).
"""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar

import sqlalchemy as sa
from pydantic import MISSING, AfterValidator, AwareDatetime, EmailStr, StringConstraints
from sqlmodel import Field, SQLModel

from app.models.base import (
    Day,
    Input,
    ListQuery,
    Output,
    Page,
    Revised,
    UnitId,
    key_text,
    line,
    str_enum,
)
from app.models.kernel.external_ids import ExternalRef
from app.problem_texts import HintCode
from app.text import clean


class UnitLevel(StrEnum):
    central = "central"
    province = "province"
    district = "district"
    commune = "commune"
    branch = "branch"
    group = "group"


LEVEL_ORDER: tuple[UnitLevel, ...] = tuple(UnitLevel)


# Groups stand beside the branches: they have no members of their own to count.
LEVELS_BUT_GROUP = tuple(level for level in UnitLevel if level is not UnitLevel.group)


class AreaType(StrEnum):
    rural = "rural"
    urban = "urban"


class GroupKind(StrEnum):
    """What a unit of level `group` is: a tổ phụ nữ of a branch, or another grouping."""

    team = "team"
    club = "club"
    savings_group = "savings_group"
    production_group = "production_group"
    volunteer_group = "volunteer_group"
    other = "other"


class IdentifierScheme(StrEnum):
    gso = "gso"  # the General Statistics Office's code: reused and moved between units by law
    name = "name"
    # Only of units whose area type has changed: a town that became a rural commune.
    area_type = "area_type"


class SuccessionKind(StrEnum):
    merge = "merge"
    split = "split"  # type: ignore[assignment]  # hides str.split, which no one calls on a kind
    rename = "rename"
    transfer = "transfer"
    abolish = "abolish"


class Unit(Revised, table=True):
    """A unit as it is today (or was when it closed). Its id is never reused; deleted only when its
    opening is taken back."""

    __tablename__ = "unit"
    __table_args__ = (
        sa.Index("ix_unit_parent_id", "parent_id"),
        sa.Index("ix_unit_level_sort_key", "level", "sort_key", "id"),
        sa.Index("ix_unit_commune_id", "commune_id"),
        sa.Index("ix_unit_district_id", "district_id"),
        sa.Index("ix_unit_province_id", "province_id"),
        sa.Index(
            "ix_unit_closed_on",
            "closed_on",
            postgresql_where=sa.text("closed_on IS NOT NULL"),
            sqlite_where=sa.text("closed_on IS NOT NULL"),
        ),
        sa.Index("ix_unit_opened_on", "opened_on"),
        {"sqlite_autoincrement": True},
    )

    # Given by the database on the first flush; None only before it.
    id: int = Field(default=None, primary_key=True)
    level: UnitLevel = Field(sa_type=str_enum(UnitLevel))
    name: str = Field(max_length=200)
    # Of the name of today: to find it, and to put it in order.
    name_key: str = Field(sa_type=key_text)
    sort_key: str = Field(sa_type=key_text)
    code: str | None = Field(default=None, max_length=20)
    area_type: AreaType | None = Field(default=None, sa_type=str_enum(AreaType))
    # Of a group only.
    group_kind: GroupKind | None = Field(default=None, sa_type=str_enum(GroupKind))
    parent_id: int | None = Field(default=None, foreign_key="unit.id", ondelete="RESTRICT")
    # The unit's own path today, itself included: what scopes compare.
    province_id: int | None = None
    district_id: int | None = None
    commune_id: int | None = None
    branch_id: int | None = None
    opened_on: date
    closed_on: date | None = None
    phone: str | None = Field(default=None, max_length=20)
    email: str | None = Field(default=None, max_length=254)
    address: str | None = Field(default=None, max_length=300)


class UnitEdge(SQLModel, table=True):
    """The truth of the tree: under whom, from when to when. At most one a day."""

    __tablename__ = "unit_edge"
    __table_args__ = (
        sa.Index("ix_unit_edge_parent_id", "parent_id"),
        sa.Index("ix_unit_edge_valid_from", "valid_from"),
    )

    unit_id: int = Field(foreign_key="unit.id", primary_key=True, ondelete="RESTRICT")
    valid_from: date = Field(primary_key=True)
    valid_to: date | None = None
    parent_id: int = Field(foreign_key="unit.id", ondelete="RESTRICT")


class UnitClosure(SQLModel, table=True):
    """Every ancestor of every unit by validity (depth 0 is the unit itself); from the edges."""

    __tablename__ = "unit_closure"
    __table_args__ = (sa.Index("ix_unit_closure_descendant_id", "descendant_id", "ancestor_id"),)

    ancestor_id: int = Field(foreign_key="unit.id", primary_key=True, ondelete="RESTRICT")
    descendant_id: int = Field(foreign_key="unit.id", primary_key=True, ondelete="RESTRICT")
    valid_from: date = Field(primary_key=True)
    valid_to: date | None = None
    depth: int


class UnitIdentifier(SQLModel, table=True):
    """Dated codes, names and area types. A code resolves by date: 08398 was Yên Tập, then Phú Khê."""

    __tablename__ = "unit_identifier"
    __table_args__ = (
        sa.Index("ix_unit_identifier_scheme_value", "scheme", "value"),
        sa.Index(
            "uq_unit_identifier_current_code",
            "value",
            unique=True,
            sqlite_where=sa.text("valid_to IS NULL AND scheme = 'gso'"),
            postgresql_where=sa.text("valid_to IS NULL AND scheme = 'gso'"),
        ),
    )

    unit_id: int = Field(foreign_key="unit.id", primary_key=True, ondelete="RESTRICT")
    scheme: IdentifierScheme = Field(primary_key=True, sa_type=str_enum(IdentifierScheme))
    valid_from: date = Field(primary_key=True)
    valid_to: date | None = None
    value: str = Field(max_length=200)
    # What a search finds it by (a name of another day is not on the unit itself).
    value_key: str = Field(sa_type=key_text)


class UnitSuccession(SQLModel, table=True):
    """What became of a unit by which decree; `inferred` where no source names the successor."""

    __tablename__ = "unit_succession"
    __table_args__ = (
        sa.Index("ix_unit_succession_from_unit_id", "from_unit_id"),
        sa.Index("ix_unit_succession_to_unit_id", "to_unit_id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    from_unit_id: int = Field(foreign_key="unit.id", ondelete="RESTRICT")
    to_unit_id: int | None = Field(default=None, foreign_key="unit.id", ondelete="RESTRICT")
    kind: SuccessionKind = Field(sa_type=str_enum(SuccessionKind))
    effective_on: date
    decree: str | None = Field(default=None, max_length=200)
    inferred: bool = False


# -- what clients send


def _unit_name(value: str) -> str:
    name = clean(value)
    if not name or any(character in "<>" for character in name):
        raise ValueError("name_has_symbols" if name else "name_empty")
    return name


UnitName = Annotated[str, *line(200), AfterValidator(_unit_name)]
# Digits in the government's list; a union's own may have letters. Never a formula of Excel.
UnitCode = Annotated[str, *line(20), StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z./_-]*$")]


class ChildrenQuery(ListQuery):
    """`as_of`: the tree of that day. `include_closed`: those closed before it as well."""

    level: Annotated[list[UnitLevel], Field(max_length=6)] = Field(
        default=[], description="Only these levels; may be repeated."
    )
    code: Annotated[str, Field(max_length=20)] | None = Field(
        default=None,
        description="Only of this government code.",
    )
    q: Annotated[str, Field(max_length=200)] | None = Field(
        default=None,
        description="Words in the name, in any order, with or without tone marks.",
    )
    as_of: Day | None = Field(default=None, description="The day asked about; today by default.")
    include_closed: bool = Field(
        default=False, description="Also the units that had closed by the day asked."
    )


class UnitQuery(ChildrenQuery):
    """`parent`: direct children. `under`: the whole subtree. `as_of`: the tree of that day."""

    parent: UnitId | None = Field(default=None, description="Only units directly under this one.")
    under: UnitId | None = Field(
        default=None, description="Only units below this one, at any depth."
    )
    external_id: ExternalRef | None = Field(
        default=None,
        description="Only the one that another system calls so: `system|value`.",
    )


class BranchQuery(ListQuery):
    commune: UnitId | None = Field(default=None, description="Only what stands in this commune.")
    q: Annotated[str, Field(max_length=200)] | None = Field(
        default=None,
        description="Words in the name, in any order, with or without tone marks.",
    )


class LevelValidity(Input):
    """Units of the level are opened from `valid_from` to `valid_to`, inclusive."""

    level: UnitLevel
    valid_from: date
    valid_to: date
    source: str
    confirmed: bool


class LevelFile(Input):
    levels: list[LevelValidity]


class UnitCreate(Input):
    """`group_kind` is given for a group and for no other level."""

    level: UnitLevel
    name: UnitName
    parent_id: UnitId
    code: UnitCode | None = None
    area_type: AreaType | None = None
    group_kind: GroupKind | None = None
    opened_on: Day
    phone: Annotated[str, *line(20)] | None = None
    email: EmailStr | None = None
    address: Annotated[str, *line(300)] | None = None


class UnitUpdate(Input):
    """A new name, code or area type holds from `effective_on` (default today); the old one stays
    dated."""

    elsewhere: ClassVar[Mapping[str, HintCode]] = {
        "parent_id": "changed_by_unit_act",
        "closed_on": "changed_by_unit_act",
    }

    name: UnitName | MISSING = MISSING
    code: UnitCode | MISSING = MISSING
    area_type: AreaType | MISSING = MISSING
    effective_on: Day | MISSING = MISSING
    phone: Annotated[str, *line(20)] | None | MISSING = MISSING
    email: EmailStr | None | MISSING = MISSING
    address: Annotated[str, *line(300)] | None | MISSING = MISSING


class UnitClose(Input):
    """`effective_on` is the first day without the unit, at the latest tomorrow; `successor_ids` name
    the units its people and facts went to, and `sessions_to_id`, unless there is one successor, who
    takes its sessions to come.
    """

    effective_on: Day
    kind: SuccessionKind = SuccessionKind.abolish
    successor_ids: Annotated[list[UnitId], Field(max_length=50)] = []
    sessions_to_id: UnitId | None = None
    decree: Annotated[str, *line(200)] | None = None
    inferred: bool = False


class UnitMove(Input):
    """Put the unit under another parent from `effective_on` (today or earlier) on."""

    parent_id: UnitId
    effective_on: Day


# -- what clients get


class UnitRef(Output):
    id: int
    level: UnitLevel
    name: str


class SuccessionRead(Output):
    unit: UnitRef | None
    kind: SuccessionKind
    effective_on: date
    decree: str | None
    inferred: bool


class UnitRead(Output):
    """A unit on the date asked (`as_of`, default today): its name, code and parent of that day."""

    id: int
    level: UnitLevel
    name: str
    code: str | None
    area_type: AreaType | None
    group_kind: GroupKind | None
    parent_id: int | None
    opened_on: date
    closed_on: date | None
    phone: str | None
    email: str | None
    address: str | None
    member_count: int | None
    revision: int


class UnitDetail(UnitRead):
    """`ancestors` from the top down; `member_count` is null where the caller may not count."""

    ancestors: list[UnitRef]
    predecessors: list[SuccessionRead]
    successors: list[SuccessionRead]


class UnitPage(Page):
    items: list[UnitRead]


class BranchHead(Output):
    """Who holds the post of branch head; or, where nobody does, who has the role.

    `account_id` is null when the holder has no account; `member_id` when the role is not a post.
    """

    account_id: str | None
    member_id: str | None
    name: str


class BranchRead(Output):
    """A branch (chi hội) with its members of today, its head and the day it was last active."""

    id: int
    name: str
    code: str | None
    commune_id: int | None
    commune_name: str | None
    opened_on: date
    closed_on: date | None
    member_count: int
    head: BranchHead | None
    last_activity_at: AwareDatetime | None
    revision: int


class BranchPage(Page):
    items: list[BranchRead]
