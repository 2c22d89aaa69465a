"""programs of other systems: what they are for, two secrets each, networks, an end, and their figures"""

import uuid
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None

_ID = sa.Uuid().with_variant(sa.LargeBinary(length=16), "sqlite")
_JSON = sa.JSON(none_as_null=True).with_variant(
    postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), "postgresql"
)
_TIME = sa.DateTime(timezone=True)
_ACCOUNT = sa.table(
    "account",
    sa.column("id", _ID),
    sa.column("secret_digest", sa.String(64)),
    sa.column("armed_by", _ID),
)
_SECRET = sa.table(
    "client_secret",
    sa.column("id", _ID),
    sa.column("account_id", _ID),
    sa.column("digest", sa.String(64)),
    sa.column("created_by", _ID),
    sa.column("revoked_at", _TIME),
    sa.column("revision", sa.Integer()),
    sa.column("created_at", _TIME),
    sa.column("updated_at", _TIME),
)


def upgrade() -> None:
    op.create_table(
        "client_secret",
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.Column("id", _ID, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("created_by", _ID, nullable=True),
        sa.Column("revoked_at", _TIME, nullable=True),
        sa.Column("last_used_at", _TIME, nullable=True),
        sa.Column("last_used_from", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
            name=op.f("fk_client_secret_account_id_account"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_secret")),
    )
    for name in ("account_id", "valid_to"):
        op.create_index(f"ix_client_secret_{name}", "client_secret", [name])
    op.create_table(
        "client_usage",
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("operation", sa.String(length=64), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
            name=op.f("fk_client_usage_account_id_account"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "day", "operation", name=op.f("pk_client_usage")),
    )
    op.create_index("ix_client_usage_day", "client_usage", ["day"])
    op.add_column("account", sa.Column("purpose", sa.String(200), nullable=True))
    op.add_column("account", sa.Column("contact", sa.String(200), nullable=True))
    op.add_column("account", sa.Column("networks", _JSON, nullable=True))
    op.add_column("account", sa.Column("valid_to", sa.Date(), nullable=True))
    ends = sa.text("valid_to IS NOT NULL")
    op.create_index(
        "ix_account_valid_to", "account", ["valid_to"], sqlite_where=ends, postgresql_where=ends
    )
    op.add_column("auth_session", sa.Column("key_id", _ID, nullable=True))
    _move(op.get_bind())
    op.drop_column("account", "secret_digest")


def _move(connection: sa.Connection) -> None:
    """The secret of each program goes into the table of secrets."""
    now = datetime.now(UTC)
    found = connection.execute(sa.select(_ACCOUNT).where(_ACCOUNT.c.secret_digest.is_not(None)))
    rows = [
        {
            "id": uuid.uuid4() if connection.dialect.name == "postgresql" else uuid.uuid4().bytes,
            "account_id": row.id,
            "digest": row.secret_digest,
            "created_by": row.armed_by,
            "revision": 1,
            "created_at": now,
            "updated_at": now,
        }
        for row in found
    ]
    if rows:
        connection.execute(sa.insert(_SECRET), rows)


def downgrade() -> None:
    op.add_column("account", sa.Column("secret_digest", sa.String(64), nullable=True))
    newest = (
        sa.select(_SECRET.c.digest)
        .where(_SECRET.c.account_id == _ACCOUNT.c.id, _SECRET.c.revoked_at.is_(None))
        .order_by(_SECRET.c.created_at.desc(), _SECRET.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    op.execute(sa.update(_ACCOUNT).values(secret_digest=newest))
    op.drop_column("auth_session", "key_id")
    op.drop_index("ix_account_valid_to", "account")
    for name in ("valid_to", "networks", "contact", "purpose"):
        op.drop_column("account", name)
    op.drop_table("client_usage")
    op.drop_table("client_secret")
