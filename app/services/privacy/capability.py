"""Privacy: consents, requests about personal data, limits of processing, erasure."""

from app.models.kernel.access import Right
from app.models.privacy.consents import Consent
from app.models.privacy.erasures import Anonymisation, AnonymisationPolicy, Erasure
from app.models.privacy.limits import ProcessingLimit
from app.models.privacy.requests import PrivacyRequest
from app.services.kernel.manifest import Capability
from app.services.kernel.tracking import DERIVED, Tracked
from app.services.members.standing import of_member

# Notes and answers may tell more than the act: the log says that there are some.
_WORDS_OF_CONSENT = frozenset(
    {
        *("evidence_reference", "note", "representative", "representative_relation"),
        "withdrawal_note",
    }
)

CAPABILITY = Capability(
    module=__name__,
    owned=(
        *(Consent, PrivacyRequest, ProcessingLimit),
        *(Erasure, Anonymisation, AnonymisationPolicy),
    ),
    tracked={
        Consent: Tracked(
            entity="consent",
            units=of_member(),
            read_right=Right.privacy_record,
            left_out=DERIVED | {"id", "province_id"},
            secret=_WORDS_OF_CONSENT,
        ),
        PrivacyRequest: Tracked(
            entity="privacy_request",
            units=of_member(),
            read_right=Right.privacy_read,
            left_out=DERIVED | {"id", "province_id"},
            secret=frozenset({"note", "extension_reason", "answer"}),
        ),
        ProcessingLimit: Tracked(
            entity="processing_limit",
            units=of_member(),
            read_right=Right.privacy_read,
            left_out=DERIVED | {"id", "province_id"},
            secret=frozenset({"reference", "note", "lifted_note"}),
        ),
    },
    problems=("privacy.yaml",),
)
