"""signed codes have a key ring of their own, which begins with what the data keys gave them"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    ring = op.create_table(
        "code_key",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("card_seed", sa.Text(), nullable=False),
        sa.Column("session_seed", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_code_key"),
    )
    vault = op.get_bind().dialect.vault  # type: ignore[attr-defined]  # of env.py
    cards, sessions = vault.seeds_for("card"), vault.seeds_for("session code")
    # The first of the data keys has signed last.
    for card, session in reversed(list(zip(cards, sessions, strict=True))):
        op.bulk_insert(
            ring,
            [
                {
                    "card_seed": vault.seal(card.hex(), "code_key"),
                    "session_seed": vault.seal(session.hex(), "code_key"),
                    "created_at": datetime.now(UTC),
                }
            ],
        )


def downgrade() -> None:
    op.drop_table("code_key")
