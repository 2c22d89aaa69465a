"""duplicates"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")
_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_BORN = sa.text("length(birth_date) = 10")


def _revised() -> list[sa.Column[object]]:
    return [
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    ]


def upgrade() -> None:
    op.create_index(
        "ix_member_born",
        "member",
        ["birth_date"],
        sqlite_where=_BORN,
        postgresql_where=_BORN,
    )
    op.create_index("ix_member_commune_id_birth_year", "member", ["commune_id", "birth_year"])
    op.create_table(
        "duplicate_pair",
        *_revised(),
        sa.Column("id", _ID, nullable=False),
        sa.Column("member_a", _ID, nullable=False),
        sa.Column("member_b", _ID, nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("reasons", _JSON, nullable=False),
        sa.Column("tells", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", _ID, nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.String(500), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duplicate_pair")),
    )
    op.create_index(
        "uq_duplicate_pair_member_a_member_b",
        "duplicate_pair",
        ["member_a", "member_b"],
        unique=True,
    )
    op.create_index("ix_duplicate_pair_member_b", "duplicate_pair", ["member_b"])
    op.create_index("ix_duplicate_pair_state_score_id", "duplicate_pair", ["state", "score", "id"])
    op.create_table(
        "merge",
        *_revised(),
        sa.Column("id", _ID, nullable=False),
        sa.Column("kept_id", _ID, nullable=False),
        sa.Column("gone_id", _ID, nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("fields", _JSON, nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("merged_by", _ID, nullable=False),
        sa.Column("merged_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undo_until", sa.Date(), nullable=False),
        sa.Column("undone_by", _ID, nullable=True),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("journal", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_merge")),
    )
    op.create_index("ix_merge_kept_id", "merge", ["kept_id"])
    merged = sa.text("state = 'merged'")
    op.create_index(
        "uq_merge_gone",
        "merge",
        ["gone_id"],
        unique=True,
        sqlite_where=merged,
        postgresql_where=merged,
    )


def downgrade() -> None:
    """What is merged stays merged; its undo is lost."""
    op.drop_table("merge")
    op.drop_table("duplicate_pair")
    op.drop_index("ix_member_commune_id_birth_year", "member")
    op.drop_index("ix_member_born", "member")
