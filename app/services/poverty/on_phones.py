"""Assessments as phones keep them: of the open households of the phone."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlmodel import col

from app.models.kernel.access import Right
from app.models.poverty.poverty import Assessment, AssessmentRead
from app.services.households.on_phones import of_household
from app.services.kernel.access import Actor
from app.services.kernel.offers import DAYS_ON_A_PHONE, Follows, SyncKind
from app.services.poverty import assessments


def _of_ids(db: Connection, _: Actor, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    return assessments.of_ids(db, ids)


SYNC = SyncKind(
    name="assessment",
    entity="assessment",
    right=Right.poverty_read,
    schema=AssessmentRead,
    model=Assessment,
    rows=_of_ids,
    day=col(Assessment.assessed_on),
    days=DAYS_ON_A_PHONE,
    **of_household(
        Assessment,
        # The one that it corrects names it.
        Follows(
            entity="assessment",
            of=lambda ids: sa.select(col(Assessment.corrects_id)).where(
                col(Assessment.id).in_(ids), col(Assessment.corrects_id).is_not(None)
            ),
        ),
    ),
)
