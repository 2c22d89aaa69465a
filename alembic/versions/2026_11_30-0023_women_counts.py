"""women of 18 and over in the area of a branch are counted"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "women_count",
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=False),
        sa.Column("branch_id", sa.Integer(), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("women", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(
            ["branch_id"], ["unit.id"], name="fk_women_count_branch_id_unit", ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_women_count"),
        sa.UniqueConstraint("branch_id", "as_of", name="uq_women_count_branch_id_as_of"),
    )


def downgrade() -> None:
    op.drop_table("women_count")
