"""What others do when a household is no more."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlmodel import Session


@dataclass(frozen=True, slots=True)
class OfHouseholds:
    """Called in the transaction itself, with the id of the household and its last day. A refusal
    keeps the household open."""

    closed: Callable[[Session, UUID, date], None]
