"""what phones report of records they have not sent"""

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)
_MOMENTS = ("unsent_since", "last_success_at", "last_error_at", "reported_at")


def upgrade() -> None:
    # No phone has reported yet.
    op.add_column("device", sa.Column("unsent", sa.Integer(), nullable=False, server_default="0"))
    for name in _MOMENTS:
        op.add_column("device", sa.Column(name, _INSTANT, nullable=True))
    op.add_column("device", sa.Column("last_error", sa.String(60), nullable=True))


def downgrade() -> None:
    for name in ("last_error", *reversed(_MOMENTS), "unsent"):
        op.drop_column("device", name)
