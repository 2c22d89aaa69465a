"""figures are kept of all units, and added up for those above the branches"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    # What was stored can be counted again at any time.
    op.drop_table("figure_day")
    op.create_table(
        "figure_day",
        sa.Column("rows", sa.String(length=80), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("whole", sa.Boolean(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("figures", _JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name="fk_figure_day_unit_id_unit", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("rows", "day", "whole", "unit_id", name="pk_figure_day"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_figure_day_unit_id", "figure_day", ["unit_id"])
    op.create_table(
        "figure_kept",
        sa.Column("rows", sa.String(length=80), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("figures", _JSON, nullable=False),
        sa.PrimaryKeyConstraint("rows", "day", name="pk_figure_kept"),
    )
    op.create_index("ix_unit_edge_valid_from", "unit_edge", ["valid_from"])


def downgrade() -> None:
    op.drop_index("ix_unit_edge_valid_from", table_name="unit_edge")
    op.drop_table("figure_kept")
    op.drop_table("figure_day")
    op.create_table(
        "figure_day",
        sa.Column("rows", sa.String(length=80), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("branch_id", sa.Integer(), nullable=False),
        sa.Column("figures", _JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["branch_id"], ["unit.id"], name="fk_figure_day_branch_id_unit", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("rows", "day", "branch_id", name="pk_figure_day"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_figure_day_branch_id", "figure_day", ["branch_id"])
