"""Every table, so that Alembic and foreign keys find them. Nothing else lives here."""

from app.models.access import Grant
from app.models.access_log import AccessRead
from app.models.accounts import Account
from app.models.appointments import Appointment
from app.models.changes import Change, Feed, FeedHead, Outbox
from app.models.corrections import CorrectionRequest
from app.models.exports import ExportRecord
from app.models.groups import Participation
from app.models.households import Household, HouseholdEvent, HouseholdPerson, HouseholdPlace
from app.models.idempotency import IdempotentAnswer
from app.models.jobs import Job
from app.models.members import Member, MemberIdentifier, NameEntry, NameWord
from app.models.memberships import Membership
from app.models.poverty import Assessment, PovertyStatus
from app.models.sessions import AuthSession, RefreshToken
from app.models.trainings import Training
from app.models.transfers import Transfer
from app.models.units import Unit, UnitClosure, UnitEdge, UnitIdentifier, UnitSuccession

__all__ = [
    "AccessRead",
    "Account",
    "Appointment",
    "Assessment",
    "AuthSession",
    "Change",
    "CorrectionRequest",
    "ExportRecord",
    "Feed",
    "FeedHead",
    "Grant",
    "Household",
    "HouseholdEvent",
    "HouseholdPerson",
    "HouseholdPlace",
    "IdempotentAnswer",
    "Job",
    "Member",
    "MemberIdentifier",
    "Membership",
    "NameEntry",
    "NameWord",
    "Outbox",
    "Participation",
    "PovertyStatus",
    "RefreshToken",
    "Training",
    "Transfer",
    "Unit",
    "UnitClosure",
    "UnitEdge",
    "UnitIdentifier",
    "UnitSuccession",
]
