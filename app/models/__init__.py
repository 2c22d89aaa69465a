"""Every table, so that Alembic and foreign keys find them. Nothing else lives here."""

from app.models.access import Grant
from app.models.access_log import AccessRead
from app.models.accounts import Account
from app.models.appointments import Appointment
from app.models.changes import Change, Feed, FeedHead, Outbox
from app.models.corrections import CorrectionRequest
from app.models.escape_paths import EscapeCheck, EscapePath, EscapeStep
from app.models.exports import ExportRecord
from app.models.groups import Participation
from app.models.households import Household, HouseholdEvent, HouseholdPerson, HouseholdPlace
from app.models.idempotency import IdempotentAnswer
from app.models.jobs import Job
from app.models.members import Member, MemberIdentifier, NameEntry, NameWord
from app.models.memberships import Membership
from app.models.poverty import Assessment, PovertyStatus
from app.models.poverty_flows import PovertyFlow, PovertyStay
from app.models.sessions import AuthSession, RefreshToken
from app.models.support import HouseholdVisit, LoanFigure, Support
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
    "EscapeCheck",
    "EscapePath",
    "EscapeStep",
    "ExportRecord",
    "Feed",
    "FeedHead",
    "Grant",
    "Household",
    "HouseholdEvent",
    "HouseholdPerson",
    "HouseholdPlace",
    "HouseholdVisit",
    "IdempotentAnswer",
    "Job",
    "LoanFigure",
    "Member",
    "MemberIdentifier",
    "Membership",
    "NameEntry",
    "NameWord",
    "Outbox",
    "Participation",
    "PovertyFlow",
    "PovertyStatus",
    "PovertyStay",
    "RefreshToken",
    "Support",
    "Training",
    "Transfer",
    "Unit",
    "UnitClosure",
    "UnitEdge",
    "UnitIdentifier",
    "UnitSuccession",
]
