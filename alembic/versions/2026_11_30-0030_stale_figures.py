"""units whose derived rows have changed are marked"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

_UUID = sa.Uuid().with_variant(sa.LargeBinary(length=16), "sqlite")


def upgrade() -> None:
    op.create_table(
        "figure_stale",
        sa.Column("id", _UUID, nullable=False),
        sa.Column("entity", sa.String(length=32), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name="fk_figure_stale_unit_id_unit", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_figure_stale"),
    )
    op.create_index("ix_figure_stale_unit_id", "figure_stale", ["unit_id"])


def downgrade() -> None:
    op.drop_table("figure_stale")
