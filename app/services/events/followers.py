"""What others do when sessions are made and closed."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import Session


@dataclass(frozen=True, slots=True)
class OfSessions:
    """Called in the transaction itself, with the id of the session."""

    made: Callable[[Session, UUID], object]
    closed: Callable[[Session, UUID], object]
