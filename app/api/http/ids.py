"""Ids in addresses that more than one router has."""

from typing import Annotated
from uuid import UUID

from fastapi import Path

CorrectionPath = Annotated[UUID, Path(description="Id of the correction asked for.")]
EventPath = Annotated[UUID, Path(description="Id of the event.")]
HouseholdPath = Annotated[UUID, Path(description="Id of the household.")]
MemberPath = Annotated[UUID, Path(description="Id of the member.")]
SessionPath = Annotated[UUID, Path(description="Id of the session.")]
UnitPath = Annotated[int, Path(ge=1, le=2**31 - 1, description="Id of the unit.")]
