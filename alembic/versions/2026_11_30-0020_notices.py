"""notices of more than reminders"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")


def upgrade() -> None:
    _kept()
    _table(
        sa.Column("entity_id", _ID, nullable=False),
        sa.Column("occasion", sa.String(40), nullable=False),
        sa.UniqueConstraint(
            "account_id",
            "kind",
            "entity_id",
            "occasion",
            name=op.f("uq_notification_account_id_kind_entity_id_occasion"),
        ),
    )
    op.execute(
        "INSERT INTO notification (id, account_id, kind, entity_id, occasion, created_at, read_at) "
        "SELECT id, account_id, kind, reminder_id, '', created_at, read_at FROM notification_kept"
    )
    op.drop_table("notification_kept")


def downgrade() -> None:
    _kept()
    _table(
        sa.Column("reminder_id", _ID, nullable=False),
        sa.Column("session_id", _ID, nullable=False),
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
        sa.UniqueConstraint(
            "account_id", "reminder_id", name=op.f("uq_notification_account_id_reminder_id")
        ),
    )
    op.execute(
        "INSERT INTO notification "
        "(id, account_id, kind, reminder_id, session_id, created_at, read_at) "
        "SELECT k.id, k.account_id, k.kind, k.entity_id, r.session_id, k.created_at, k.read_at "
        "FROM notification_kept k JOIN event_reminder r ON r.id = k.entity_id"
    )
    op.drop_table("notification_kept")


def _kept() -> None:
    op.execute("CREATE TABLE notification_kept AS SELECT * FROM notification")
    op.drop_table("notification")


def _table(*more: sa.Column[object] | sa.Constraint) -> None:
    op.create_table(
        "notification",
        sa.Column("id", _ID, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        *more,
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
            name=op.f("fk_notification_account_id_account"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification")),
    )
    op.create_index("ix_notification_account_id_id", "notification", ["account_id", "id"])
