"""What a phone writes about households while it is offline."""

from typing import Final
from uuid import UUID

from sqlmodel import Session

from app.models.households.acts import (
    HeadChange,
    PersonAdd,
    PersonAddNote,
    PersonLeave,
    PersonLeaveNote,
)
from app.models.households.households import HouseholdCreate, HouseholdUpdate
from app.models.kernel.access import Right
from app.services.households import acts, forming, households, resemblance
from app.services.kernel.access import Actor, Expected
from app.services.kernel.device_clocks import Noted
from app.services.kernel.operation_kinds import OperationDone, OperationKind, without_parent
from app.services.members import checks


def _create(
    session: Session,
    actor: Actor,
    _household_id: UUID,
    body: HouseholdCreate,
    _noted: Noted,
    _expected: Expected,
) -> OperationDone:
    household, _ = forming.create(session, actor, body)
    return OperationDone(
        checks.as_errors(resemblance.doubts_about(session, actor, household, body))
    )


def _update(
    session: Session,
    actor: Actor,
    household_id: UUID,
    body: HouseholdUpdate,
    _noted: Noted,
    expected: Expected,
) -> OperationDone:
    household = households.update(session, actor, household_id, body, expected)
    if "code" not in body.model_fields_set:
        return OperationDone()
    return OperationDone(checks.as_errors(resemblance.doubts_about_code(session, actor, household)))


def _add_person(
    session: Session,
    actor: Actor,
    _person_id: UUID,
    body: PersonAddNote,
    _noted: Noted,
    _expected: Expected,
) -> OperationDone:
    given = without_parent(PersonAdd, body)
    acts.add_person(session, actor, body.household_id, given, person_id=body.id)
    return OperationDone()


def _remove_person(
    session: Session,
    actor: Actor,
    person_id: UUID,
    body: PersonLeaveNote,
    _noted: Noted,
    _expected: Expected,
) -> OperationDone:
    given = without_parent(PersonLeave, body)
    acts.remove_person(session, actor, body.household_id, person_id, given)
    return OperationDone()


def _change_head(
    session: Session,
    actor: Actor,
    household_id: UUID,
    body: HeadChange,
    _noted: Noted,
    _expected: Expected,
) -> OperationDone:
    acts.change_head(session, actor, household_id, body)
    return OperationDone()


KINDS: Final = (
    OperationKind(
        name="household.create",
        operation="create_household",
        right=Right.members_write,
        entity="household",
        body=HouseholdCreate,
        apply=_create,
    ),
    OperationKind(
        name="household.update",
        operation="update_household",
        right=Right.members_write,
        entity="household",
        body=HouseholdUpdate,
        apply=_update,
        merges=True,
    ),
    OperationKind(
        name="household_person.add",
        operation="add_household_person",
        right=Right.members_write,
        entity="household",
        values_of="household_person",
        body=PersonAddNote,
        apply=_add_person,
        subject=lambda _, body: body.household_id,
        states_fact=True,
    ),
    OperationKind(
        name="household_person.remove",
        operation="remove_household_person",
        right=Right.members_write,
        entity="household",
        values_of="household_person",
        body=PersonLeaveNote,
        apply=_remove_person,
        subject=lambda _, body: body.household_id,
        states_fact=True,
    ),
    OperationKind(
        name="household.change_head",
        operation="change_household_head",
        right=Right.members_write,
        entity="household",
        body=HeadChange,
        apply=_change_head,
        states_fact=True,
    ),
)
