"""attendance"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")
_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
_GOOD = sa.text("revoked_at IS NULL")
_NAMELESS = sa.text("member_id IS NULL")
_OPEN = sa.text("state IN ('held', 'pending_identity')")
_BY_HERSELF = sa.text("by_herself")


def upgrade() -> None:
    op.create_table(
        "member_card",
        sa.Column("id", _ID, nullable=False),
        sa.Column("member_id", _ID, nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_reason", sa.String(500), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["member.id"],
            name=op.f("fk_member_card_member_id_member"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member_card")),
    )
    op.create_index("ix_member_card_member_id", "member_card", ["member_id"])
    op.create_index(
        "uq_member_card_good",
        "member_card",
        ["member_id"],
        unique=True,
        sqlite_where=_GOOD,
        postgresql_where=_GOOD,
    )
    op.create_table(
        "capture",
        sa.Column("id", _ID, nullable=False),
        sa.Column("session_id", _ID, nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("room_id", _ID, nullable=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.Column("member_id", _ID, nullable=True),
        sa.Column("name", sa.String(120), nullable=True),
        sa.Column("name_key", _KEY, nullable=True),
        sa.Column("is_guest", sa.Boolean(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=True),
        sa.Column("guests", sa.Integer(), nullable=True),
        sa.Column("card_id", _ID, nullable=True),
        sa.Column("minutes", sa.Integer(), nullable=True),
        sa.Column("photo", sa.String(500), nullable=True),
        sa.Column("note", sa.String(500), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("skew", sa.Integer(), nullable=True),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("device", sa.String(120), nullable=True),
        sa.Column("by_herself", sa.Boolean(), nullable=False),
        sa.Column("flags", _JSON, nullable=False),
        sa.Column("digest", sa.BigInteger(), nullable=False),
        sa.Column("annulled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("annulled_by", _ID, nullable=True),
        sa.Column("annulled_reason", sa.String(500), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_capture")),
    )
    op.create_index("ix_capture_session_id_member_id", "capture", ["session_id", "member_id"])
    for name, columns, rows in (
        ("ix_capture_nameless", ["session_id", "kind"], _NAMELESS),
        ("ix_capture_open", ["session_id", "state"], _OPEN),
        ("ix_capture_by_herself", ["session_id", "device"], _BY_HERSELF),
    ):
        op.create_index(name, "capture", columns, sqlite_where=rows, postgresql_where=rows)
    op.create_table(
        "attendance",
        sa.Column("session_id", _ID, nullable=False),
        sa.Column("member_id", _ID, nullable=False),
        sa.Column("local_date", sa.Date(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("district_id", sa.Integer(), nullable=True),
        sa.Column("commune_id", sa.Integer(), nullable=True),
        sa.Column("branch_id", sa.Integer(), nullable=True),
        sa.Column("on_roster", sa.Boolean(), nullable=False),
        sa.Column("mode", sa.String(32), nullable=False),
        sa.Column("room_id", _ID, nullable=True),
        sa.Column("attended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("capture_id", _ID, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["event_session.id"],
            name=op.f("fk_attendance_session_id_event_session"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["member.id"],
            name=op.f("fk_attendance_member_id_member"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("session_id", "member_id", name=op.f("pk_attendance")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_attendance_member_id_local_date",
        "attendance",
        ["member_id", "local_date", "session_id"],
    )
    op.create_index("ix_attendance_branch_id_local_date", "attendance", ["branch_id", "local_date"])
    op.create_table(
        "attendance_count",
        sa.Column("session_id", _ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("on", sa.Date(), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("captures", sa.Integer(), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("non_members", sa.Integer(), nullable=False),
        sa.Column("guests", sa.Integer(), nullable=False),
        sa.Column("head_count", sa.Integer(), nullable=True),
        sa.Column("roster_size", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["event_session.id"],
            name=op.f("fk_attendance_count_session_id_event_session"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("session_id", "number", name=op.f("pk_attendance_count")),
    )


def downgrade() -> None:
    for table in ("attendance_count", "attendance", "capture", "member_card"):
        op.drop_table(table)
