"""figures that count people once are stored with those who are in several units"""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


_ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")


def upgrade() -> None:
    op.create_table(
        "figure_shared",
        sa.Column("rows", sa.String(length=80), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("figure", sa.String(length=80), nullable=False),
        sa.Column("key", _ID, nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name="fk_figure_shared_unit_id_unit", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("rows", "day", "figure", "key", "unit_id", name="pk_figure_shared"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_figure_shared_unit_id", "figure_shared", ["unit_id"])
    closed = sa.text("closed_on IS NOT NULL")
    op.create_index(
        "ix_unit_closed_on",
        "unit",
        ["closed_on"],
        postgresql_where=closed,
        sqlite_where=closed,
    )
    op.create_index("ix_unit_opened_on", "unit", ["opened_on"])


def downgrade() -> None:
    op.drop_index("ix_unit_opened_on", table_name="unit")
    op.drop_index("ix_unit_closed_on", table_name="unit")
    op.drop_table("figure_shared")
