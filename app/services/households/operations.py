"""What a phone writes about households while it is offline."""

from typing import Final
from uuid import UUID

from sqlmodel import Session

from app.models.households.households import HouseholdCreate, HouseholdUpdate
from app.models.kernel.access import Right
from app.services.households import forming, households, resemblance
from app.services.kernel.access import Actor, Expected
from app.services.kernel.device_clocks import Noted
from app.services.kernel.operation_kinds import OperationDone, OperationKind
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
)
