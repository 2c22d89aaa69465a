"""Every table, so that Alembic and foreign keys find them. Nothing else lives here."""

from app.models.access import Grant
from app.models.access_log import AccessRead
from app.models.accounts import Account
from app.models.appointments import Appointment
from app.models.changes import Change, Feed, FeedHead, Outbox
from app.models.consents import Consent
from app.models.corrections import CorrectionRequest
from app.models.duplicates import DuplicatePair
from app.models.erasures import Anonymisation, AnonymisationPolicy, Erasure
from app.models.exports import ExportRecord
from app.models.groups import Participation
from app.models.idempotency import IdempotentAnswer
from app.models.imports import Import, ImportMapping, ImportPart, ImportRow
from app.models.jobs import Job
from app.models.members import Member, MemberIdentifier, NameEntry, NameWord
from app.models.memberships import Membership
from app.models.merges import Merge
from app.models.privacy_requests import PrivacyRequest
from app.models.processing_limits import ProcessingLimit
from app.models.sessions import AuthSession, RefreshToken
from app.models.trainings import Training
from app.models.transfers import Transfer
from app.models.units import Unit, UnitClosure, UnitEdge, UnitIdentifier, UnitSuccession

__all__ = [
    "AccessRead",
    "Account",
    "Anonymisation",
    "AnonymisationPolicy",
    "Appointment",
    "AuthSession",
    "Change",
    "Consent",
    "CorrectionRequest",
    "DuplicatePair",
    "Erasure",
    "ExportRecord",
    "Feed",
    "FeedHead",
    "Grant",
    "IdempotentAnswer",
    "Import",
    "ImportMapping",
    "ImportPart",
    "ImportRow",
    "Job",
    "Member",
    "MemberIdentifier",
    "Membership",
    "Merge",
    "NameEntry",
    "NameWord",
    "Outbox",
    "Participation",
    "PrivacyRequest",
    "ProcessingLimit",
    "RefreshToken",
    "Training",
    "Transfer",
    "Unit",
    "UnitClosure",
    "UnitEdge",
    "UnitIdentifier",
    "UnitSuccession",
]
