"""reorganisations that officers of all sides decide on"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


_ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")
_JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("reorganisation", sa.Column("agreement", _JSON, nullable=True))
    op.create_table(
        "reorganisation_side",
        sa.Column("reorganisation_id", _ID, nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["reorganisation_id"],
            ["reorganisation.id"],
            name="fk_reorganisation_side_reorganisation_id_reorganisation",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name="fk_reorganisation_side_unit_id_unit", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("reorganisation_id", "unit_id", name="pk_reorganisation_side"),
    )
    op.create_index("ix_reorganisation_side_unit_id", "reorganisation_side", ["unit_id"])


def downgrade() -> None:
    """What the sides confirmed of drafts is lost: who holds the right above them decides."""
    op.drop_table("reorganisation_side")
    op.drop_column("reorganisation", "agreement")
