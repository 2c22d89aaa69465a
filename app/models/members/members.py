"""A member: one person in the union, with where she belongs today."""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID

import sqlalchemy as sa
from pydantic import MISSING, BeforeValidator
from sqlmodel import Field, SQLModel

from app.models.base import (
    HouseholdId,
    Output,
    OwnBranch,
    Page,
    Revised,
    Sealed,
    Uuid,
    key_text,
    new_id,
    str_enum,
)
from app.models.kernel.access import Right
from app.models.kernel.code_lists import EthnicityCode, code_of_religion
from app.models.kernel.sensitive import About, Sensitive
from app.models.members.fields import (
    CitizenId,
    GivenName,
    IdCard,
    NameInput,
    Occupation,
    PartialDate,
    PartialDateRead,
    PartialPastDay,
    PersonName,
    Phone,
    Photo,
    Place,
)
from app.problem_texts import HintCode


class Gender(StrEnum):
    female = "female"
    male = "male"


class MemberKind(StrEnum):
    regular = "regular"
    honorary = "honorary"


class MemberStatus(StrEnum):
    active = "active"
    transferring = "transferring"
    left = "left"
    deceased = "deceased"


class Religion(StrEnum):
    """No official code list exists (domain facts, 4.5); `undeclared` is not `none`."""

    none = "none"
    buddhist = "buddhist"
    catholic = "catholic"
    protestant = "protestant"
    cao_dai = "cao_dai"
    hoa_hao = "hoa_hao"
    muslim = "muslim"
    other = "other"
    undeclared = "undeclared"


# A name is understood too, as `GET /v1/code-lists` has them.
ReligionCode = Annotated[Religion, BeforeValidator(code_of_religion)]


class PartyStatus(StrEnum):
    """Towards the Communist Party of Vietnam: a political view, sensitive by law."""

    none = "none"
    introduced = "introduced"
    member = "member"


class Education(StrEnum):
    """The highest general schooling finished (trình độ văn hoá)."""

    none = "none"
    primary = "primary"
    lower_secondary = "lower_secondary"
    upper_secondary = "upper_secondary"


class Qualification(StrEnum):
    """The highest professional degree (trình độ chuyên môn)."""

    none = "none"
    elementary = "elementary"
    intermediate = "intermediate"
    college = "college"
    bachelor = "bachelor"
    master = "master"
    doctor = "doctor"


class Member(Revised, table=True):
    """A person in the union, as she is today.

    Lists of any scope walk one of the four (level, sort_key, id) indexes, never more. Those of a
    branch and a commune also hold the search key, so that a search reads nothing but the index.
    """

    __tablename__ = "member"
    __table_args__ = (
        sa.Index("ix_member_branch_id_sort_key_id", "branch_id", "sort_key", "id", "search_key"),
        sa.Index("ix_member_commune_id_sort_key_id", "commune_id", "sort_key", "id", "search_key"),
        sa.Index("ix_member_province_id_sort_key_id", "province_id", "sort_key", "id"),
        sa.Index("ix_member_sort_key_id", "sort_key", "id"),
        sa.Index("ix_member_household_id", "household_id"),
        # For the matcher: who in a commune is of an age, who anywhere was born on a day.
        sa.Index("ix_member_commune_id_birth_year", "commune_id", "birth_year"),
        sa.Index(
            "ix_member_born",
            "birth_date",
            sqlite_where=sa.text("length(birth_date) = 10"),
            postgresql_where=sa.text("length(birth_date) = 10"),
        ),
        # One in a hundred, counted separately.
        sa.Index(
            "ix_member_honorary",
            "id",
            sqlite_where=sa.text("kind = 'honorary'"),
            postgresql_where=sa.text("kind = 'honorary'"),
        ),
        # In-place updates: measured 6x the rate (architecture, section 9).
        {"postgresql_with": {"fillfactor": 90}},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    province_id: int = Field(foreign_key="unit.id", ondelete="RESTRICT")
    commune_id: int | None = Field(default=None, foreign_key="unit.id", ondelete="RESTRICT")
    branch_id: int = Field(foreign_key="unit.id", ondelete="RESTRICT")
    full_name: str = Field(max_length=120)
    # Where it is not the last word: she is called, listed and found by it.
    given_name: str | None = Field(default=None, max_length=120)
    sort_key: str = Field(sa_type=key_text)
    search_key: str = Field(sa_type=key_text)
    birth_date: str = Field(max_length=10)
    birth_year: int
    gender: Gender = Field(default=Gender.female, sa_type=str_enum(Gender))
    kind: MemberKind = Field(default=MemberKind.regular, sa_type=str_enum(MemberKind))
    status: MemberStatus = Field(default=MemberStatus.active, sa_type=str_enum(MemberStatus))
    # Partial ISO dates, as the birth.
    joined_on: str | None = Field(default=None, sa_type=key_text)
    core: bool = Field(default=False, sa_column_kwargs={"server_default": sa.false()})
    phone: str | None = Field(default=None, sa_type=Sealed("phone"))
    citizen_id: str | None = Field(default=None, sa_type=Sealed("citizen_id"))
    id_card: str | None = Field(default=None, sa_type=Sealed("id_card"))
    address: str | None = Field(default=None, max_length=300)
    hometown: str | None = Field(default=None, max_length=300)
    ethnicity: str | None = Field(default=None, max_length=2)
    religion: Religion | None = Field(default=None, sa_type=str_enum(Religion))
    party: PartyStatus | None = Field(default=None, sa_type=str_enum(PartyStatus))
    party_joined_on: str | None = Field(default=None, sa_type=key_text)
    education: Education | None = Field(default=None, sa_type=str_enum(Education))
    qualification: Qualification | None = Field(default=None, sa_type=str_enum(Qualification))
    occupation: str | None = Field(default=None, max_length=120)
    household_id: UUID | None = Field(default=None, sa_type=Uuid)
    photo: str | None = Field(default=None, max_length=500)
    # Derived from her restrictions in force (services/privacy/limits).
    restricted: bool = Field(default=False, sa_column_kwargs={"server_default": sa.false()})
    # Her identity was wiped: the row is counted, and never shown.
    erased_on: date | None = None


class Identifier(StrEnum):
    """Identifiers by which a person is found besides the name; each is a sealed field of hers."""

    phone = "phone"
    citizen_id = "citizen_id"
    id_card = "id_card"


class MemberIdentifier(SQLModel, table=True):
    """Keyed digests of a member's identifiers: found by, never read from.

    `exact` is of the whole, `last6` and `last4` of its last digits.
    """

    __tablename__ = "member_identifier"
    __table_args__ = (
        sa.Index("ix_member_identifier_exact", "exact", "member_id"),
        sa.Index("ix_member_identifier_last6", "last6", "member_id"),
        sa.Index("ix_member_identifier_last4", "last4", "member_id"),
    )

    member_id: UUID = Field(
        primary_key=True, foreign_key="member.id", ondelete="CASCADE", sa_type=Uuid
    )
    kind: Identifier = Field(primary_key=True, sa_type=str_enum(Identifier))
    province_id: int
    exact: int = Field(sa_type=sa.BigInteger)
    last6: int = Field(sa_type=sa.BigInteger)
    last4: int = Field(sa_type=sa.BigInteger)


class NameEntry(SQLModel, table=True):
    """The dictionary of names: each distinct one that some member has or had.

    A search above the communes goes through it; a name is inserted or there already: no row is
    ever changed, and none deleted but with the last person of that name who is erased.
    """

    __tablename__ = "name_entry"
    # A search reads the names in their order, and nothing besides: the key holds the whole row.
    __table_args__ = (
        sa.PrimaryKeyConstraint("sort_key", postgresql_include=["search_key"]),
        {"sqlite_with_rowid": False},
    )

    sort_key: str = Field(primary_key=True, sa_type=key_text)
    search_key: str = Field(sa_type=key_text)


class NameWord(SQLModel, table=True):
    """The folded words of each name of the dictionary: a search for a rare word reads the few
    names that have it, and not all names."""

    __tablename__ = "name_word"
    __table_args__ = (
        sa.PrimaryKeyConstraint("word", "sort_key", postgresql_include=["search_key"]),
        {"sqlite_with_rowid": False},
    )

    word: str = Field(primary_key=True, sa_type=key_text)
    sort_key: str = Field(primary_key=True, sa_type=key_text)
    search_key: str = Field(sa_type=key_text)


# -- what clients send


class MemberCreate(NameInput):
    """Only the name, the year of birth and the join date (or null) are required."""

    id: UUID | None = None
    branch_id: OwnBranch = None
    full_name: PersonName
    given_name: GivenName | None = None
    birth_date: PartialDate
    gender: Gender = Gender.female
    kind: MemberKind = MemberKind.regular
    joined_on: PartialPastDay | None
    core: bool = False
    phone: Phone | None = None
    citizen_id: CitizenId | None = None
    id_card: IdCard | None = None
    address: Place | None = None
    hometown: Place | None = None
    ethnicity: EthnicityCode | None = None
    religion: ReligionCode | None = None
    party: PartyStatus | None = None
    party_joined_on: PartialPastDay | None = None
    education: Education | None = None
    qualification: Qualification | None = None
    occupation: Occupation | None = None
    household_id: HouseholdId | None = None
    photo: Photo | None = None


class MemberUpdate(NameInput):
    """A JSON merge patch: null empties a field, and only where the field may be empty."""

    elsewhere: ClassVar[Mapping[str, HintCode]] = {
        "branch_id": "changed_by_transfer",
        "status": "changed_by_membership",
    }

    full_name: PersonName | MISSING = MISSING
    given_name: GivenName | None | MISSING = MISSING
    birth_date: PartialDate | MISSING = MISSING
    gender: Gender | MISSING = MISSING
    kind: MemberKind | MISSING = MISSING
    joined_on: PartialPastDay | None | MISSING = MISSING
    core: bool | MISSING = MISSING
    phone: Phone | None | MISSING = MISSING
    citizen_id: CitizenId | None | MISSING = MISSING
    id_card: IdCard | None | MISSING = MISSING
    address: Place | None | MISSING = MISSING
    hometown: Place | None | MISSING = MISSING
    ethnicity: EthnicityCode | None | MISSING = MISSING
    religion: ReligionCode | None | MISSING = MISSING
    party: PartyStatus | None | MISSING = MISSING
    party_joined_on: PartialPastDay | None | MISSING = MISSING
    education: Education | None | MISSING = MISSING
    qualification: Qualification | None | MISSING = MISSING
    occupation: Occupation | None | MISSING = MISSING
    household_id: HouseholdId | None | MISSING = MISSING
    photo: Photo | None | MISSING = MISSING


# -- what clients get


class MemberRead(Output):
    """Fields named in `masked` are null because this caller may not see them.

    `restricted`: on her demand it is kept and shown, but neither changed nor put into files.
    """

    about: ClassVar = About("member")

    id: UUID
    full_name: str
    given_name: str | None
    birth_date: PartialDateRead
    gender: Gender
    kind: MemberKind
    status: MemberStatus
    branch_id: int
    commune_id: int | None
    province_id: int
    joined_on: PartialDateRead | None
    core: bool
    phone: Annotated[str | None, Sensitive(Right.members_phone)]
    citizen_id: Annotated[str | None, Sensitive(Right.members_citizen_id)]
    id_card: Annotated[str | None, Sensitive(Right.members_citizen_id)]
    address: str | None
    hometown: str | None
    ethnicity: Annotated[str | None, Sensitive(Right.members_ethnicity)]
    religion: Annotated[Religion | None, Sensitive(Right.members_religion)]
    party: Annotated[PartyStatus | None, Sensitive(Right.members_party)]
    party_joined_on: Annotated[PartialDateRead | None, Sensitive(Right.members_party)]
    education: Education | None
    qualification: Qualification | None
    occupation: str | None
    household_id: UUID | None
    photo: str | None
    restricted: bool
    revision: int
    masked: list[str]


class Warned(Output):
    """What looks wrong and is stored all the same; `pointer` names the field (RFC 6901)."""

    pointer: str
    code: str
    detail: str
    hint: str | None


class MemberSaved(MemberRead):
    """A member just written, with what an officer should look at again."""

    warnings: list[Warned]


class MemberOnDay(MemberRead):
    """Of a past day a record is as it was then, but for `restricted`, `revision` and `masked`, which
    are today's. `not_dated` names the fields that are as they are today, because she was entered
    after that day."""

    not_dated: list[str]


class MemberPage(Page):
    items: list[MemberOnDay]
