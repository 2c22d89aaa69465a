"""reorganisations: drafts, and what takes back what was done"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")
_JSON = sa.JSON(none_as_null=True).with_variant(
    postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), "postgresql"
)


def upgrade() -> None:
    op.create_table(
        "reorganisation",
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", _ID, nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("decree", sa.String(200), nullable=True),
        sa.Column("note", sa.String(500), nullable=True),
        sa.Column("operations", _JSON, nullable=False),
        sa.Column("opened", _JSON, nullable=True),
        sa.Column("undo", _JSON, nullable=True),
        sa.Column("drafted_by", _ID, nullable=False),
        sa.Column("decided_by", _ID, nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reverted_by", _ID, nullable=True),
        sa.Column("reverted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name="fk_reorganisation_unit_id_unit", ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_reorganisation"),
    )
    op.create_index("ix_reorganisation_unit_id", "reorganisation", ["unit_id"])
    op.create_index(
        "ix_reorganisation_state_effective_on", "reorganisation", ["state", "effective_on"]
    )
    op.create_table(
        "reorganised_unit",
        sa.Column("reorganisation_id", _ID, nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["reorganisation_id"],
            ["reorganisation.id"],
            name="fk_reorganised_unit_reorganisation_id_reorganisation",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name="fk_reorganised_unit_unit_id_unit", ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("reorganisation_id", "unit_id", name="pk_reorganised_unit"),
    )
    op.create_index("ix_reorganised_unit_unit_id", "reorganised_unit", ["unit_id"])


def downgrade() -> None:
    op.drop_table("reorganised_unit")
    op.drop_table("reorganisation")
