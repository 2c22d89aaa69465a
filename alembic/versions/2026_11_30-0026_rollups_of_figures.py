"""figures of branches are kept by day"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "figure_day",
        sa.Column("rows", sa.String(length=80), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("branch_id", sa.Integer(), nullable=False),
        sa.Column("figures", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.ForeignKeyConstraint(
            ["branch_id"], ["unit.id"], name="fk_figure_day_branch_id_unit", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("rows", "day", "branch_id", name="pk_figure_day"),
        sqlite_with_rowid=False,
    )
    folded = op.create_table(
        "figure_fold",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_figure_fold"),
    )
    op.bulk_insert(folded, [{"id": 1, "seq": 0}])


def downgrade() -> None:
    op.drop_table("figure_fold")
    op.drop_table("figure_day")
