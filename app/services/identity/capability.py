"""Who somebody is: accounts, how they sign in, and which rights they were granted."""

from app.models.kernel.access import Grant, Right
from app.models.kernel.accounts import Account
from app.models.kernel.sessions import AuthSession, RefreshToken
from app.services.kernel.manifest import Capability
from app.services.kernel.tracking import DERIVED, Tracked, of_unit

CAPABILITY = Capability(
    module=__name__,
    owned=(Account, Grant, AuthSession, RefreshToken),
    tracked={
        Account: Tracked(
            entity="account",
            units=of_unit(),
            read_right=Right.accounts_read,
            left_out=DERIVED | {"id"},
            secret=frozenset({"password_hash", "secret_digest", "code_digest"}),
            moved_by="unit_id",
        ),
        Grant: Tracked(
            entity="grant",
            units=of_unit(),
            read_right=Right.accounts_read,
            left_out=DERIVED | {"id"},
        ),
    },
    problems=("identity.yaml",),
)
