"""units that were invited to events, and are so no more"""

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None


_ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")
_PATH = ("province_id", "district_id", "commune_id", "branch_id")


def upgrade() -> None:
    op.create_table(
        "event_withdrawal",
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("district_id", sa.Integer(), nullable=True),
        sa.Column("commune_id", sa.Integer(), nullable=True),
        sa.Column("branch_id", sa.Integer(), nullable=True),
        sa.Column("event_id", _ID, nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["event.id"],
            name="fk_event_withdrawal_event_id_event",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name="fk_event_withdrawal_unit_id_unit", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("event_id", "unit_id", name="pk_event_withdrawal"),
    )
    for column in ("unit_id", *reversed(_PATH)):
        op.create_index(f"ix_event_withdrawal_{column}", "event_withdrawal", [column, "event_id"])


def downgrade() -> None:
    op.drop_table("event_withdrawal")
