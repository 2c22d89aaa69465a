"""Every table, so that Alembic and foreign keys find them. Nothing else lives here."""

from app.models.access import Grant
from app.models.accounts import Account
from app.models.changes import Change, Feed, FeedHead, Outbox
from app.models.idempotency import IdempotentAnswer
from app.models.members import Member
from app.models.sessions import AuthSession, RefreshToken
from app.models.units import Unit, UnitClosure, UnitEdge, UnitIdentifier, UnitSuccession

__all__ = [
    "Account",
    "AuthSession",
    "Change",
    "Feed",
    "FeedHead",
    "Grant",
    "IdempotentAnswer",
    "Member",
    "Outbox",
    "RefreshToken",
    "Unit",
    "UnitClosure",
    "UnitEdge",
    "UnitIdentifier",
    "UnitSuccession",
]
