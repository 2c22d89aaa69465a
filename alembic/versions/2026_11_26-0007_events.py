"""events, their sessions, answers to invitations, minutes, reminders, calendar links"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")
_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
_UNSENT = sa.text("job_id IS NULL")
_TABLES = (
    "event",
    "event_unit",
    "event_session",
    "event_session_unit",
    "room",
    "rsvp",
    "session_minutes",
    "event_reminder",
    "notification",
    "calendar_link",
)


def upgrade() -> None:
    op.create_table(
        "event",
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("district_id", sa.Integer(), nullable=True),
        sa.Column("commune_id", sa.Integer(), nullable=True),
        sa.Column("branch_id", sa.Integer(), nullable=True),
        sa.Column("id", _ID, nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("title_key", _KEY, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("tag", sa.String(60), nullable=True),
        sa.Column("place", sa.String(300), nullable=True),
        sa.Column("organiser", sa.String(200), nullable=True),
        sa.Column("agenda", sa.String(), nullable=True),
        sa.Column("summary", sa.String(500), nullable=True),
        sa.Column("image_url", sa.String(500), nullable=True),
        sa.Column("is_public", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("cancelled_reason", sa.String(500), nullable=True),
        sa.Column("host_id", sa.Integer(), nullable=False),
        sa.Column("host_unit_ids", _JSON, nullable=False),
        sa.Column("invited_unit_ids", _JSON, nullable=False),
        sa.Column("documents", _JSON, nullable=False),
        sa.Column("recurrence", _JSON, nullable=True),
        sa.ForeignKeyConstraint(
            ["host_id"], ["unit.id"], name=op.f("fk_event_host_id_unit"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
    )
    op.create_index("ix_event_host_id", "event", ["host_id"])
    op.create_table(
        "event_unit",
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("district_id", sa.Integer(), nullable=True),
        sa.Column("commune_id", sa.Integer(), nullable=True),
        sa.Column("branch_id", sa.Integer(), nullable=True),
        sa.Column("event_id", _ID, nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["event.id"],
            name=op.f("fk_event_unit_event_id_event"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name=op.f("fk_event_unit_unit_id_unit"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("event_id", "role", "unit_id", name=op.f("pk_event_unit")),
    )
    op.create_index("ix_event_unit_branch_id", "event_unit", ["branch_id", "event_id"])
    op.create_index("ix_event_unit_commune_id", "event_unit", ["commune_id", "event_id"])
    op.create_index("ix_event_unit_district_id", "event_unit", ["district_id", "event_id"])
    op.create_index("ix_event_unit_province_id", "event_unit", ["province_id", "event_id"])
    op.create_index("ix_event_unit_unit_id", "event_unit", ["unit_id", "event_id"])
    op.create_table(
        "event_session",
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("district_id", sa.Integer(), nullable=True),
        sa.Column("commune_id", sa.Integer(), nullable=True),
        sa.Column("branch_id", sa.Integer(), nullable=True),
        sa.Column("id", _ID, nullable=False),
        sa.Column("event_id", _ID, nullable=False),
        sa.Column("host_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(200), nullable=True),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("local_date", sa.Date(), nullable=False),
        sa.Column("mode", sa.String(32), nullable=False),
        sa.Column("place", sa.String(300), nullable=True),
        sa.Column("join_url", sa.String(500), nullable=True),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("cancelled_reason", sa.String(500), nullable=True),
        sa.Column("late_after", sa.Integer(), nullable=True),
        sa.Column("online_minutes", sa.Integer(), nullable=True),
        sa.Column("held_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("generated_for", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["event.id"],
            name=op.f("fk_event_session_event_id_event"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["host_id"],
            ["unit.id"],
            name=op.f("fk_event_session_host_id_unit"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_session")),
    )
    op.create_index("ix_event_session_event_id", "event_session", ["event_id", "starts_at", "id"])
    op.create_index("ix_event_session_host_id", "event_session", ["host_id", "starts_at"])
    op.create_table(
        "event_session_unit",
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("district_id", sa.Integer(), nullable=True),
        sa.Column("commune_id", sa.Integer(), nullable=True),
        sa.Column("branch_id", sa.Integer(), nullable=True),
        sa.Column("session_id", _ID, nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["event_session.id"],
            name=op.f("fk_event_session_unit_session_id_event_session"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["unit.id"],
            name=op.f("fk_event_session_unit_unit_id_unit"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint(
            "session_id", "role", "unit_id", name=op.f("pk_event_session_unit")
        ),
    )
    op.create_index(
        "ix_event_session_unit_branch_id",
        "event_session_unit",
        ["branch_id", "starts_at", "session_id"],
    )
    op.create_index(
        "ix_event_session_unit_commune_id",
        "event_session_unit",
        ["commune_id", "starts_at", "session_id"],
    )
    op.create_index(
        "ix_event_session_unit_district_id",
        "event_session_unit",
        ["district_id", "starts_at", "session_id"],
    )
    op.create_index(
        "ix_event_session_unit_province_id",
        "event_session_unit",
        ["province_id", "starts_at", "session_id"],
    )
    op.create_index(
        "ix_event_session_unit_unit_id",
        "event_session_unit",
        ["unit_id", "starts_at", "session_id"],
    )
    op.create_table(
        "room",
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", _ID, nullable=False),
        sa.Column("session_id", _ID, nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("place", sa.String(300), nullable=True),
        sa.Column("device_note", sa.String(200), nullable=True),
        sa.Column("head_count", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name=op.f("fk_room_unit_id_unit"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["event_session.id"],
            name=op.f("fk_room_session_id_event_session"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_room")),
    )
    op.create_index("ix_room_session_id", "room", ["session_id"])
    op.create_table(
        "rsvp",
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", _ID, nullable=False),
        sa.Column("session_id", _ID, nullable=False),
        sa.Column("member_id", _ID, nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("commune_id", sa.Integer(), nullable=True),
        sa.Column("branch_id", sa.Integer(), nullable=False),
        sa.Column("answer", sa.String(32), nullable=False),
        sa.Column("reason", sa.String(300), nullable=True),
        sa.Column("by_herself", sa.Boolean(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["event_session.id"],
            name=op.f("fk_rsvp_session_id_event_session"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_rsvp_member_id_member"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rsvp")),
        sa.UniqueConstraint("session_id", "member_id", name=op.f("uq_rsvp_session_id_member_id")),
    )
    op.create_index("ix_rsvp_member_id", "rsvp", ["member_id"])
    op.create_table(
        "session_minutes",
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", _ID, nullable=False),
        sa.Column("session_id", _ID, nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("body", sa.String(), nullable=True),
        sa.Column("decisions", _JSON, nullable=False),
        sa.Column("attachments", _JSON, nullable=False),
        sa.Column("photos", _JSON, nullable=False),
        sa.Column("signed_by", _ID, nullable=True),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["event_session.id"],
            name=op.f("fk_session_minutes_session_id_event_session"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session_minutes")),
        sa.UniqueConstraint("session_id", name=op.f("uq_session_minutes_session_id")),
    )
    op.create_table(
        "event_reminder",
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", _ID, nullable=False),
        sa.Column("session_id", _ID, nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("send_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("text", sa.String(500), nullable=True),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("sign_in_id", _ID, nullable=False),
        sa.Column("job_id", _ID, nullable=True),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["event_session.id"],
            name=op.f("fk_event_reminder_session_id_event_session"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_reminder")),
    )
    op.create_index(
        "ix_event_reminder_due",
        "event_reminder",
        ["send_at"],
        sqlite_where=_UNSENT,
        postgresql_where=_UNSENT,
    )
    op.create_index("ix_event_reminder_session_id", "event_reminder", ["session_id"])
    op.create_table(
        "notification",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("reminder_id", _ID, nullable=False),
        sa.Column("session_id", _ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["reminder_id"],
            ["event_reminder.id"],
            name=op.f("fk_notification_reminder_id_event_reminder"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["event_session.id"],
            name=op.f("fk_notification_session_id_event_session"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
            name=op.f("fk_notification_account_id_account"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification")),
        sa.UniqueConstraint(
            "account_id", "reminder_id", name=op.f("uq_notification_account_id_reminder_id")
        ),
    )
    op.create_index("ix_notification_account_id_id", "notification", ["account_id", "id"])
    op.create_table(
        "calendar_link",
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", _ID, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=True),
        sa.Column("token_digest", sa.String(64), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["unit.id"],
            name=op.f("fk_calendar_link_unit_id_unit"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
            name=op.f("fk_calendar_link_account_id_account"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_link")),
        sa.UniqueConstraint("token_digest", name=op.f("uq_calendar_link_token_digest")),
    )
    op.create_index("ix_calendar_link_account_id", "calendar_link", ["account_id"])


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table)
