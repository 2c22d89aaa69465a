"""What a phone writes about households while it is offline."""

from typing import Final

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
from app.services.kernel.operation_kinds import (
    OperationDone,
    OperationKind,
    SentOperation,
    without_parent,
)
from app.services.members import checks


def _create(sent: SentOperation[HouseholdCreate]) -> OperationDone:
    household, _ = forming.create(sent.session, sent.actor, sent.body)
    return OperationDone(
        checks.as_errors(resemblance.doubts_about(sent.session, sent.actor, household, sent.body))
    )


def _update(sent: SentOperation[HouseholdUpdate]) -> OperationDone:
    household = households.update(
        sent.session, sent.actor, sent.record_id, sent.body, sent.expected
    )
    if "code" not in sent.body.model_fields_set:
        return OperationDone()
    return OperationDone(
        checks.as_errors(resemblance.doubts_about_code(sent.session, sent.actor, household))
    )


def _add_person(sent: SentOperation[PersonAddNote]) -> OperationDone:
    given = without_parent(PersonAdd, sent.body)
    acts.add_person(sent.session, sent.actor, sent.body.household_id, given, person_id=sent.body.id)
    return OperationDone()


def _remove_person(sent: SentOperation[PersonLeaveNote]) -> OperationDone:
    given = without_parent(PersonLeave, sent.body)
    acts.remove_person(sent.session, sent.actor, sent.body.household_id, sent.record_id, given)
    return OperationDone()


def _change_head(sent: SentOperation[HeadChange]) -> OperationDone:
    acts.change_head(sent.session, sent.actor, sent.record_id, sent.body)
    return OperationDone()


KINDS: Final = (
    OperationKind(
        name="household.create",
        operation="create_household",
        right=Right.members_write,
        entity="household",
        body=HouseholdCreate,
        apply=_create,
        since="opened_on",
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
        since="effective_on",
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
        since="effective_on",
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
        since="effective_on",
        states_fact=True,
    ),
)
