"""sessions know that a change of their rule cancelled them"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "event_session",
        sa.Column("cancelled_by_rule", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.execute(
        sa.text(
            "UPDATE event_session SET cancelled_by_rule = :yes "
            "WHERE generated_for IS NOT NULL AND cancelled_reason = :reason"
        ).bindparams(yes=True, reason="Đổi lịch lặp lại")
    )


def downgrade() -> None:
    op.drop_column("event_session", "cancelled_by_rule")
