"""Rights, the roles that bundle them, and the dated grants of a role over a unit."""

from datetime import date
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from pydantic import AfterValidator
from sqlmodel import Field

from app.models.base import (
    Day,
    Input,
    Output,
    Parameters,
    Revised,
    UnitId,
    Uuid,
    json_type,
    new_id,
    str_enum,
)
from app.models.kernel.units import UnitLevel, UnitRef


class Right(StrEnum):
    """What may be done, `resource:act`. A right always holds over a unit and all below it."""

    units_read = "units:read"
    units_write = "units:write"
    members_read = "members:read"
    members_write = "members:write"
    members_merge = "members:merge"
    members_phone = "members:phone"
    members_citizen_id = "members:citizen_id"
    members_ethnicity = "members:ethnicity"
    members_religion = "members:religion"
    members_party = "members:party"
    appointments_read = "appointments:read"
    appointments_write = "appointments:write"
    accounts_read = "accounts:read"
    accounts_write = "accounts:write"
    accounts_grant = "accounts:grant"
    changes_read = "changes:read"
    # What members decide about their data: consents and requests.
    privacy_record = "privacy:record"
    privacy_read = "privacy:read"
    privacy_manage = "privacy:manage"
    privacy_erase = "privacy:erase"
    events_read = "events:read"
    events_write = "events:write"
    attendance_read = "attendance:read"
    attendance_write = "attendance:write"
    # A family's secret (domain facts, 5.1): to see it, to record visits, to record decisions.
    poverty_read = "poverty:read"
    poverty_write = "poverty:write"
    poverty_recognise = "poverty:recognise"
    # What a household was given: to see it, to propose it, to approve what another proposed, and
    # which child is sponsored.
    support_read = "support:read"
    support_write = "support:write"
    support_approve = "support:approve"
    support_children = "support:children"


class Role(StrEnum):
    admin = "admin"
    central_officer = "central_officer"
    province_officer = "province_officer"
    district_officer = "district_officer"
    commune_officer = "commune_officer"
    branch_head = "branch_head"
    auditor = "auditor"
    data_protection_officer = "data_protection_officer"
    member = "member"
    integration_reader = "integration_reader"
    integration_writer = "integration_writer"
    # A program with rights of its own: the grant itself lists them.
    program = "program"
    # Some of the rights of a grant holder, for a time: the grant itself lists them.
    delegate = "delegate"


_READ_MEMBERS = {
    Right.units_read,
    Right.members_read,
    Right.members_phone,
    Right.appointments_read,
}
_SENSITIVE = {
    Right.members_citizen_id,
    Right.members_ethnicity,
    Right.members_religion,
    Right.members_party,
}
_EVENTS = {Right.events_read, Right.events_write}
_ATTENDANCE = {Right.attendance_read, Right.attendance_write}
_ACCOUNTS = {Right.accounts_read, Right.accounts_write, Right.accounts_grant}
_POVERTY = {Right.poverty_read, Right.poverty_write, Right.poverty_recognise}
_SUPPORT = {
    Right.support_read,
    Right.support_write,
    Right.support_approve,
    Right.support_children,
}
_OFFICER = (
    _READ_MEMBERS
    | _POVERTY
    | _SUPPORT
    | _SENSITIVE
    | _ACCOUNTS
    | _EVENTS
    | _ATTENDANCE
    | {
        Right.members_write,
        Right.members_merge,
        Right.units_write,
        Right.appointments_write,
        Right.changes_read,
        Right.privacy_record,
        Right.privacy_read,
        Right.privacy_manage,
    }
)

# The one table of who may do what. `admin` runs accounts: it sees no member, and moves no unit, since
# who moves a unit chooses whose officers see its members.
ROLE_RIGHTS: dict[Role, frozenset[Right]] = {
    Role.admin: frozenset(_ACCOUNTS | {Right.units_read, Right.changes_read}),
    Role.central_officer: frozenset(_OFFICER | {Right.privacy_erase}),
    Role.province_officer: frozenset(_OFFICER | {Right.privacy_erase}),
    Role.district_officer: frozenset(_OFFICER),
    Role.commune_officer: frozenset(_OFFICER),
    # Branch heads fill in the forms: numbers are basic data by law, origin and views are not. They
    # visit the households; the decision is the commune's.
    Role.branch_head: frozenset(
        _READ_MEMBERS
        | {
            Right.members_write,
            Right.members_citizen_id,
            Right.changes_read,
            Right.privacy_record,
        }
        | _EVENTS
        | _ATTENDANCE
        | (_POVERTY - {Right.poverty_recognise})
        | (_SUPPORT - {Right.support_approve})
    ),
    Role.auditor: frozenset(
        {
            Right.units_read,
            Right.members_read,
            Right.appointments_read,
            Right.accounts_read,
            Right.changes_read,
            Right.privacy_read,
            Right.events_read,
            Right.attendance_read,
        }
    ),
    # Answers for the law on personal data: reads all of it, changes nothing else.
    Role.data_protection_officer: frozenset(
        _READ_MEMBERS
        | _SENSITIVE
        | {
            Right.changes_read,
            Right.privacy_record,
            Right.privacy_read,
            Right.privacy_manage,
            Right.privacy_erase,
            Right.events_read,
            Right.attendance_read,
            Right.poverty_read,
            Right.support_read,
            Right.support_children,
        }
    ),
    Role.member: frozenset(),
    Role.integration_reader: frozenset(
        _READ_MEMBERS | {Right.changes_read, Right.events_read, Right.attendance_read}
    ),
    Role.integration_writer: frozenset(
        _READ_MEMBERS | _EVENTS | _ATTENDANCE | {Right.members_write, Right.changes_read}
    ),
    Role.program: frozenset(),
    Role.delegate: frozenset(),
}
# An officer who could delegate these, or give them to a program, could appoint successors of their
# own, or provide the second person that an approval needs.
NOT_DELEGABLE = frozenset(
    _ACCOUNTS | {Right.appointments_write, Right.privacy_erase, Right.support_approve}
)


# Where a role makes sense; roles not named here may be held at any level.
ROLE_LEVEL: dict[Role, UnitLevel] = {
    Role.central_officer: UnitLevel.central,
    Role.province_officer: UnitLevel.province,
    Role.data_protection_officer: UnitLevel.province,
    Role.district_officer: UnitLevel.district,
    Role.commune_officer: UnitLevel.commune,
    Role.branch_head: UnitLevel.branch,
}
# Of people who answer for a unit; no program goes on when its unit has closed.
READS_PAST = frozenset({*ROLE_LEVEL, Role.auditor})


class Grant(Revised, table=True):
    """A role over a unit from one day to another, both inclusive; `valid_to` null = open.

    One that follows an appointment carries its id and ends with it. A delegation has the role
    `delegate`, the rights it hands on and, as `parent_id`, the grant it draws on: no longer in
    force than that one. `reads_past`: its unit closed while it was in force, so that its holder may
    still count in the days before, for as long as the policy says.
    """

    __tablename__ = "access_grant"
    __table_args__ = (
        sa.Index("ix_access_grant_account_id", "account_id"),
        sa.Index("ix_access_grant_unit_id", "unit_id"),
        sa.Index("ix_access_grant_appointment_id", "appointment_id"),
        sa.Index("ix_access_grant_parent_id", "parent_id"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True, sa_type=Uuid)
    account_id: UUID = Field(foreign_key="account.id", ondelete="CASCADE", sa_type=Uuid)
    unit_id: int = Field(foreign_key="unit.id", ondelete="RESTRICT")
    role: Role = Field(sa_type=str_enum(Role))
    valid_from: date
    valid_to: date | None = None
    granted_by: UUID | None = Field(default=None, sa_type=Uuid)
    appointment_id: UUID | None = Field(
        default=None, foreign_key="appointment.id", ondelete="CASCADE", sa_type=Uuid
    )
    parent_id: UUID | None = Field(
        default=None, foreign_key="access_grant.id", ondelete="CASCADE", sa_type=Uuid
    )
    rights: list[Right] | None = Field(default=None, sa_type=json_type)
    reads_past: bool = Field(default=False, sa_column_kwargs={"server_default": sa.false()})


def _in_order(rights: list[Right]) -> list[Right]:
    return sorted(set(rights))


class GrantCreate(Input):
    """`rights`: those of a program, with the role `program` and no other."""

    unit_id: UnitId
    role: Role
    rights: (
        Annotated[
            list[Right], Field(min_length=1, max_length=len(Right)), AfterValidator(_in_order)
        ]
        | None
    ) = None
    valid_from: Day | None = None
    valid_to: Day | None = None


class GrantRead(Output):
    """`appointment_id`: the appointment it follows. `rights`: those that a delegation hands on, or
    that a program has."""

    id: UUID
    unit: UnitRef
    role: Role
    valid_from: date
    valid_to: date | None
    appointment_id: UUID | None
    rights: list[Right] | None


class ExplainQuery(Parameters):
    """Exactly one target: `unit` or `member`."""

    right: Right = Field(description="The right asked about.")
    unit: UnitId | None = Field(default=None, description="The unit asked about.")
    member: UUID | None = Field(default=None, description="Id of the member asked about.")


class RoleRead(Output):
    role: Role
    rights: list[Right]


class RoleList(Output):
    items: list[RoleRead]


class Granter(Output):
    """A unit where somebody holds enough to grant the right, nearest first."""

    unit: UnitRef
    roles: list[Role]
    holders: int


class Explanation(Output):
    """Whether the caller has the right, by which grant, or who can grant it."""

    allowed: bool
    right: Right
    unit: UnitRef | None
    by_grant: GrantRead | None
    who_may_grant: list[Granter]
