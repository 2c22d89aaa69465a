"""one word for why: reason"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_BEFORE = {
    "appointment": "ended_reason",
    "capture": "annulled_reason",
    "erasure": "cause",
    "event": "cancelled_reason",
    "event_session": "cancelled_reason",
    "member_card": "revoked_reason",
    "support": "refused_reason",
}


def upgrade() -> None:
    for table, column in _BEFORE.items():
        op.execute(f"ALTER TABLE {table} RENAME COLUMN {column} TO reason")


def downgrade() -> None:
    for table, column in _BEFORE.items():
        op.execute(f"ALTER TABLE {table} RENAME COLUMN reason TO {column}")
