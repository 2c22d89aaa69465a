"""members in full"""

import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from uuid_utils.compat import uuid7

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


class Uuid(sa.types.TypeDecorator[UUID]):
    """`uuid` on PostgreSQL, 16 bytes on SQLite."""

    impl = sa.Uuid
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.LargeBinary(16))
        return dialect.type_descriptor(sa.Uuid(as_uuid=True))

    def process_bind_param(self, value: UUID | None, dialect: sa.Dialect) -> Any:
        return value.bytes if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> UUID | None:
        return UUID(bytes=value) if value is not None and dialect.name == "sqlite" else value


_CHUNK = 2_000
_UUID = Uuid()
_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")

_MEMBER = sa.table(
    "member",
    sa.column("id", _UUID),
    sa.column("province_id", sa.Integer),
    sa.column("branch_id", sa.Integer),
    sa.column("full_name", sa.String),
    sa.column("sort_key", sa.String),
    sa.column("search_key", sa.String),
    sa.column("status", sa.String),
    sa.column("joined_on", sa.Date),
    sa.column("phone", sa.String),
    sa.column("created_at", sa.DateTime(timezone=True)),
)
_UNIT = sa.table(
    "unit",
    sa.column("id", sa.Integer),
    sa.column("level", sa.String),
    sa.column("branch_id", sa.Integer),
    sa.column("group_kind", sa.String),
    sa.column("opened_on", sa.Date),
)
_NAME = sa.table("name_entry", sa.column("sort_key"), sa.column("search_key"))
_WORD = sa.table("name_word", sa.column("word"), sa.column("sort_key"), sa.column("search_key"))
_IDENTIFIER = sa.table(
    "member_identifier",
    sa.column("member_id", _UUID),
    sa.column("kind", sa.String),
    sa.column("province_id", sa.Integer),
    sa.column("exact", sa.BigInteger),
    sa.column("last6", sa.BigInteger),
    sa.column("last4", sa.BigInteger),
)
_MEMBERSHIP = sa.table(
    "membership",
    sa.column("id", _UUID),
    sa.column("member_id", _UUID),
    sa.column("branch_id", sa.Integer),
    sa.column("province_id", sa.Integer),
    sa.column("valid_from", sa.Date),
    sa.column("joined_by", sa.String),
    sa.column("revision", sa.Integer),
    sa.column("created_at", sa.DateTime(timezone=True)),
    sa.column("updated_at", sa.DateTime(timezone=True)),
)
_CHANGE = sa.table(
    "change",
    sa.column("id", _UUID),
    sa.column("entity", sa.String),
    sa.column("before", _JSON),
    sa.column("after", _JSON),
)
_ANSWER = sa.table("idempotent_answer")


def upgrade() -> None:
    op.create_table(
        "access_read",
        sa.Column(
            "member_id", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=False
        ),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column(
            "account_id", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=False
        ),
        sa.Column("how", sa.String(32), nullable=False),
        sa.Column("fields", sa.String(200), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "member_id", "day", "account_id", "how", name=op.f("pk_access_read")
        ),
    )
    with op.batch_alter_table("access_read", schema=None) as batch_op:
        batch_op.create_index("ix_access_read_day", ["day"], unique=False)

    op.create_table(
        "export_record",
        sa.Column("id", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=False),
        sa.Column(
            "account_id", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=False
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("path", sa.String(200), nullable=False),
        sa.Column(
            "filters", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False
        ),
        sa.Column(
            "fields", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False
        ),
        sa.Column("format", sa.String(32), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_export_record")),
    )
    with op.batch_alter_table("export_record", schema=None) as batch_op:
        batch_op.create_index("ix_export_record_account_id", ["account_id"], unique=False)

    op.create_table(
        "name_entry",
        sa.Column(
            "sort_key",
            sa.String().with_variant(sa.String(collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "search_key",
            sa.String().with_variant(sa.String(collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint(
            "sort_key", name=op.f("pk_name_entry"), postgresql_include=["search_key"]
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "name_word",
        sa.Column(
            "word",
            sa.String().with_variant(sa.String(collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "sort_key",
            sa.String().with_variant(sa.String(collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "search_key",
            sa.String().with_variant(sa.String(collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint(
            "word",
            "sort_key",
            name=op.f("pk_name_word"),
            postgresql_include=["search_key"],
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "appointment",
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=False),
        sa.Column(
            "member_id", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=False
        ),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=True),
        sa.Column("post", sa.String(32), nullable=False),
        sa.Column("title", sa.String(120), nullable=True),
        sa.Column("basis", sa.String(32), nullable=False),
        sa.Column("acting", sa.Boolean(), nullable=False),
        sa.Column("payment", sa.String(32), nullable=False),
        sa.Column("decision_number", sa.String(60), nullable=True),
        sa.Column("decided_on", sa.Date(), nullable=True),
        sa.Column("congress_number", sa.Integer(), nullable=True),
        sa.Column("term_from", sa.Date(), nullable=True),
        sa.Column("term_to", sa.Date(), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("ended_reason", sa.String(32), nullable=True),
        sa.Column("ended_note", sa.String(500), nullable=True),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["member.id"],
            name=op.f("fk_appointment_member_id_member"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name=op.f("fk_appointment_unit_id_unit"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appointment")),
    )
    with op.batch_alter_table("appointment", schema=None) as batch_op:
        batch_op.create_index("ix_appointment_member_id", ["member_id"], unique=False)
        batch_op.create_index(
            "ix_appointment_unit_id_valid_to", ["unit_id", "valid_to"], unique=False
        )

    op.create_table(
        "correction_request",
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=False),
        sa.Column(
            "member_id", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=False
        ),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("note", sa.String(500), nullable=True),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column(
            "requested_by", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=False
        ),
        sa.Column(
            "decided_by", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=True
        ),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer", sa.String(500), nullable=True),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["member.id"],
            name=op.f("fk_correction_request_member_id_member"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_correction_request")),
    )
    with op.batch_alter_table("correction_request", schema=None) as batch_op:
        batch_op.create_index("ix_correction_request_member_id", ["member_id"], unique=False)
        batch_op.create_index(
            "ix_correction_request_state_province_id", ["state", "province_id"], unique=False
        )

    op.create_table(
        "member_identifier",
        sa.Column(
            "member_id", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=False
        ),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("exact", sa.BigInteger(), nullable=False),
        sa.Column("last6", sa.BigInteger(), nullable=False),
        sa.Column("last4", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["member.id"],
            name=op.f("fk_member_identifier_member_id_member"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("member_id", "kind", name=op.f("pk_member_identifier")),
    )
    with op.batch_alter_table("member_identifier", schema=None) as batch_op:
        batch_op.create_index("ix_member_identifier_exact", ["exact", "member_id"], unique=False)
        batch_op.create_index("ix_member_identifier_last4", ["last4", "member_id"], unique=False)
        batch_op.create_index("ix_member_identifier_last6", ["last6", "member_id"], unique=False)

    op.create_table(
        "membership",
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=False),
        sa.Column(
            "member_id", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=False
        ),
        sa.Column("branch_id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("joined_by", sa.String(32), nullable=False),
        sa.Column("left_by", sa.String(32), nullable=True),
        sa.Column("from_branch_id", sa.Integer(), nullable=True),
        sa.Column("to_branch_id", sa.Integer(), nullable=True),
        sa.Column(
            "transfer_id", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=True
        ),
        sa.Column("reason", sa.String(32), nullable=True),
        sa.Column("note", sa.String(500), nullable=True),
        sa.Column("annulled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["branch_id"],
            ["unit.id"],
            name=op.f("fk_membership_branch_id_unit"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["from_branch_id"],
            ["unit.id"],
            name=op.f("fk_membership_from_branch_id_unit"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["member.id"],
            name=op.f("fk_membership_member_id_member"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["to_branch_id"],
            ["unit.id"],
            name=op.f("fk_membership_to_branch_id_unit"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_membership")),
    )
    with op.batch_alter_table("membership", schema=None) as batch_op:
        batch_op.create_index(
            "ix_membership_branch_id_valid_from",
            ["branch_id", "valid_from", "valid_to", "annulled_at"],
            unique=False,
        )
        batch_op.create_index(
            "ix_membership_branch_id_valid_to", ["branch_id", "valid_to"], unique=False
        )
        batch_op.create_index(
            "ix_membership_member_id_valid_from", ["member_id", "valid_from"], unique=False
        )
        batch_op.create_index(
            "uq_membership_open",
            ["member_id"],
            unique=True,
            sqlite_where=sa.text("valid_to IS NULL AND annulled_at IS NULL"),
            postgresql_where=sa.text("valid_to IS NULL AND annulled_at IS NULL"),
        )

    op.create_table(
        "participation",
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=False),
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column(
            "member_id", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=False
        ),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["group_id"],
            ["unit.id"],
            name=op.f("fk_participation_group_id_unit"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["member.id"],
            name=op.f("fk_participation_member_id_member"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_participation")),
    )
    with op.batch_alter_table("participation", schema=None) as batch_op:
        batch_op.create_index(
            "ix_participation_group_id_valid_to", ["group_id", "valid_to"], unique=False
        )
        batch_op.create_index("ix_participation_member_id", ["member_id"], unique=False)
        batch_op.create_index(
            "uq_participation_open",
            ["group_id", "member_id"],
            unique=True,
            sqlite_where=sa.text("valid_to IS NULL"),
            postgresql_where=sa.text("valid_to IS NULL"),
        )

    op.create_table(
        "training",
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=False),
        sa.Column(
            "member_id", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=False
        ),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("level", sa.String(120), nullable=True),
        sa.Column("institution", sa.String(200), nullable=True),
        sa.Column("started_on", sa.Date(), nullable=True),
        sa.Column("completed_on", sa.Date(), nullable=True),
        sa.Column("certificate_number", sa.String(60), nullable=True),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["member.id"],
            name=op.f("fk_training_member_id_member"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training")),
    )
    with op.batch_alter_table("training", schema=None) as batch_op:
        batch_op.create_index("ix_training_member_id", ["member_id"], unique=False)

    op.create_table(
        "transfer",
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=False),
        sa.Column(
            "member_id", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=False
        ),
        sa.Column("full_name", sa.String(120), nullable=False),
        sa.Column("birth_year", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("from_branch_id", sa.Integer(), nullable=False),
        sa.Column("to_branch_id", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(500), nullable=True),
        sa.Column("effective_on", sa.Date(), nullable=True),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("requested_side", sa.String(32), nullable=False),
        sa.Column(
            "requested_by", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=True
        ),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "consented_by", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=True
        ),
        sa.Column("consented_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "accepted_by", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=True
        ),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("refused_side", sa.String(32), nullable=True),
        sa.Column("refusal_reason", sa.String(500), nullable=True),
        sa.Column("closed_by", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["from_branch_id"],
            ["unit.id"],
            name=op.f("fk_transfer_from_branch_id_unit"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["member.id"],
            name=op.f("fk_transfer_member_id_member"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["to_branch_id"],
            ["unit.id"],
            name=op.f("fk_transfer_to_branch_id_unit"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfer")),
    )
    with op.batch_alter_table("transfer", schema=None) as batch_op:
        batch_op.create_index(
            "ix_transfer_from_branch_id_state", ["from_branch_id", "state"], unique=False
        )
        batch_op.create_index("ix_transfer_member_id", ["member_id"], unique=False)
        batch_op.create_index("ix_transfer_state_due_on", ["state", "due_on"], unique=False)
        batch_op.create_index(
            "ix_transfer_to_branch_id_state", ["to_branch_id", "state"], unique=False
        )
        batch_op.create_index(
            "uq_transfer_under_way",
            ["member_id"],
            unique=True,
            sqlite_where=sa.text("state IN ('requested', 'consented')"),
            postgresql_where=sa.text("state IN ('requested', 'consented')"),
        )

    with op.batch_alter_table("access_grant", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "appointment_id",
                sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"),
                nullable=True,
            )
        )
        batch_op.add_column(
            sa.Column(
                "parent_id", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=True
            )
        )
        batch_op.add_column(
            sa.Column(
                "rights", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True
            )
        )
        batch_op.create_index("ix_access_grant_appointment_id", ["appointment_id"], unique=False)
        batch_op.create_index("ix_access_grant_parent_id", ["parent_id"], unique=False)
        batch_op.create_foreign_key(
            batch_op.f("fk_access_grant_parent_id_access_grant"),
            "access_grant",
            ["parent_id"],
            ["id"],
            ondelete="CASCADE",
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_access_grant_appointment_id_appointment"),
            "appointment",
            ["appointment_id"],
            ["id"],
            ondelete="CASCADE",
        )

    op.create_index("uq_account_member_id", "account", ["member_id"], unique=True)
    with op.batch_alter_table("member", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("core", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        batch_op.add_column(sa.Column("citizen_id", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("id_card", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("address", sa.String(300), nullable=True))
        batch_op.add_column(sa.Column("hometown", sa.String(300), nullable=True))
        batch_op.add_column(sa.Column("party", sa.String(32), nullable=True))
        batch_op.add_column(sa.Column("party_joined_on", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("education", sa.String(32), nullable=True))
        batch_op.add_column(sa.Column("qualification", sa.String(32), nullable=True))
        batch_op.add_column(sa.Column("occupation", sa.String(120), nullable=True))
        batch_op.add_column(
            sa.Column(
                "household_id", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=True
            )
        )
        batch_op.add_column(sa.Column("photo", sa.String(500), nullable=True))
        batch_op.alter_column(
            "phone", existing_type=sa.VARCHAR(length=20), type_=sa.Text(), existing_nullable=True
        )
        batch_op.drop_index(batch_op.f("ix_member_branch_id_sort_key_id"))
        batch_op.create_index(
            "ix_member_branch_id_sort_key_id",
            ["branch_id", "sort_key", "id", "search_key"],
            unique=False,
        )
        batch_op.drop_index(batch_op.f("ix_member_commune_id_sort_key_id"))
        batch_op.create_index(
            "ix_member_commune_id_sort_key_id",
            ["commune_id", "sort_key", "id", "search_key"],
            unique=False,
        )
        batch_op.create_index("ix_member_household_id", ["household_id"], unique=False)
        batch_op.create_index(
            "ix_member_honorary",
            ["id"],
            unique=False,
            sqlite_where=sa.text("kind = 'honorary'"),
            postgresql_where=sa.text("kind = 'honorary'"),
        )

    op.add_column("unit", sa.Column("group_kind", sa.String(32), nullable=True))
    _fill()


def downgrade() -> None:
    _open_phones()
    op.drop_column("unit", "group_kind")
    op.drop_index("uq_account_member_id", "account")

    with op.batch_alter_table("member", schema=None) as batch_op:
        batch_op.drop_index("ix_member_honorary")
        batch_op.drop_index("ix_member_household_id")
        batch_op.drop_index("ix_member_commune_id_sort_key_id")
        batch_op.create_index(
            batch_op.f("ix_member_commune_id_sort_key_id"),
            ["commune_id", "sort_key", "id"],
            unique=False,
        )
        batch_op.drop_index("ix_member_branch_id_sort_key_id")
        batch_op.create_index(
            batch_op.f("ix_member_branch_id_sort_key_id"),
            ["branch_id", "sort_key", "id"],
            unique=False,
        )
        batch_op.alter_column(
            "phone", existing_type=sa.Text(), type_=sa.VARCHAR(length=20), existing_nullable=True
        )
        batch_op.drop_column("photo")
        batch_op.drop_column("household_id")
        batch_op.drop_column("occupation")
        batch_op.drop_column("qualification")
        batch_op.drop_column("education")
        batch_op.drop_column("party_joined_on")
        batch_op.drop_column("party")
        batch_op.drop_column("hometown")
        batch_op.drop_column("address")
        batch_op.drop_column("id_card")
        batch_op.drop_column("citizen_id")
        batch_op.drop_column("core")

    with op.batch_alter_table("access_grant", schema=None) as batch_op:
        batch_op.drop_constraint(
            batch_op.f("fk_access_grant_appointment_id_appointment"), type_="foreignkey"
        )
        batch_op.drop_constraint(
            batch_op.f("fk_access_grant_parent_id_access_grant"), type_="foreignkey"
        )
        batch_op.drop_index("ix_access_grant_parent_id")
        batch_op.drop_index("ix_access_grant_appointment_id")
        batch_op.drop_column("rights")
        batch_op.drop_column("parent_id")
        batch_op.drop_column("appointment_id")

    with op.batch_alter_table("transfer", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_transfer_under_way",
            sqlite_where=sa.text("state IN ('requested', 'consented')"),
            postgresql_where=sa.text("state IN ('requested', 'consented')"),
        )
        batch_op.drop_index("ix_transfer_to_branch_id_state")
        batch_op.drop_index("ix_transfer_state_due_on")
        batch_op.drop_index("ix_transfer_member_id")
        batch_op.drop_index("ix_transfer_from_branch_id_state")

    op.drop_table("transfer")
    with op.batch_alter_table("training", schema=None) as batch_op:
        batch_op.drop_index("ix_training_member_id")

    op.drop_table("training")
    with op.batch_alter_table("participation", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_participation_open",
            sqlite_where=sa.text("valid_to IS NULL"),
            postgresql_where=sa.text("valid_to IS NULL"),
        )
        batch_op.drop_index("ix_participation_member_id")
        batch_op.drop_index("ix_participation_group_id_valid_to")

    op.drop_table("participation")
    with op.batch_alter_table("membership", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_membership_open",
            sqlite_where=sa.text("valid_to IS NULL AND annulled_at IS NULL"),
            postgresql_where=sa.text("valid_to IS NULL AND annulled_at IS NULL"),
        )
        batch_op.drop_index("ix_membership_member_id_valid_from")
        batch_op.drop_index("ix_membership_branch_id_valid_to")
        batch_op.drop_index("ix_membership_branch_id_valid_from")

    op.drop_table("membership")
    with op.batch_alter_table("member_identifier", schema=None) as batch_op:
        batch_op.drop_index("ix_member_identifier_last6")
        batch_op.drop_index("ix_member_identifier_last4")
        batch_op.drop_index("ix_member_identifier_exact")

    op.drop_table("member_identifier")
    with op.batch_alter_table("correction_request", schema=None) as batch_op:
        batch_op.drop_index("ix_correction_request_state_province_id")
        batch_op.drop_index("ix_correction_request_member_id")

    op.drop_table("correction_request")
    with op.batch_alter_table("appointment", schema=None) as batch_op:
        batch_op.drop_index("ix_appointment_unit_id_valid_to")
        batch_op.drop_index("ix_appointment_member_id")

    op.drop_table("appointment")
    op.drop_table("name_word")
    op.drop_table("name_entry")
    with op.batch_alter_table("export_record", schema=None) as batch_op:
        batch_op.drop_index("ix_export_record_account_id")

    op.drop_table("export_record")
    with op.batch_alter_table("access_read", schema=None) as batch_op:
        batch_op.drop_index("ix_access_read_day")

    op.drop_table("access_read")


def _rows(table: sa.TableClause, *where: Any) -> Iterator[list[Any]]:
    """All rows of a table in chunks by id: each is read before it is changed."""
    after: Any = None
    while True:
        statement = sa.select(table).where(*where).order_by(table.c.id).limit(_CHUNK)
        if after is not None:
            statement = statement.where(table.c.id > after)
        rows = op.get_bind().execute(statement).all()
        if not rows:
            return
        yield list(rows)
        after = rows[-1].id


def _fill() -> None:
    """What the new columns and tables hold of the members there are."""
    bind = op.get_bind()
    vault = bind.dialect.vault
    of_branch = sa.case((_UNIT.c.branch_id.is_not(None), "team"), else_="other")
    bind.execute(sa.update(_UNIT).where(_UNIT.c.level == "group").values(group_kind=of_branch))
    opened: dict[int, date] = dict(bind.execute(sa.select(_UNIT.c.id, _UNIT.c.opened_on)).all())
    update = (
        sa.update(_MEMBER)
        .where(_MEMBER.c.id == sa.bindparam("row_id", type_=_UUID))
        .values(search_key=sa.bindparam("key"), phone=sa.bindparam("sealed"))
    )
    names: dict[str, str] = {}
    for rows in _rows(_MEMBER):
        keys = {row.id: search_key(row.full_name) for row in rows}
        bind.execute(
            update,
            [
                {
                    "row_id": row.id,
                    "key": keys[row.id],
                    "sealed": row.phone and vault.seal(row.phone, "phone"),
                }
                for row in rows
            ],
        )
        new = {row.sort_key: keys[row.id] for row in rows if row.sort_key not in names}
        names |= new
        if new:
            entries = [{"sort_key": s, "search_key": k} for s, k in new.items()]
            bind.execute(sa.insert(_NAME), entries)
            bind.execute(sa.insert(_WORD), _words(entries))
        phones = [row for row in rows if row.phone]
        if phones:
            bind.execute(sa.insert(_IDENTIFIER), [_identifier(vault, row) for row in phones])
        here = [row for row in rows if row.status in ("active", "transferring")]
        if here:
            bind.execute(sa.insert(_MEMBERSHIP), [_spell(row, opened) for row in here])
    for sealed in _logged_phones():
        bind.execute(_LOGGED, [_logged(row, lambda v: vault.seal(v, "phone")) for row in sealed])
    # They hold phones as they were answered; each is kept for a day only.
    bind.execute(sa.delete(_ANSWER))


def _words(entries: list[dict[str, str]]) -> list[dict[str, str]]:
    """A row for each distinct word of each name."""
    return [
        {"word": word, **entry}
        for entry in entries
        for word in {part.partition("=")[0] for part in entry["search_key"].split()}
    ]


def _identifier(vault: Any, row: Any) -> dict[str, Any]:
    return {
        "member_id": row.id,
        "kind": "phone",
        "province_id": row.province_id,
        "exact": vault.digest(row.phone, "phone:exact"),
        "last6": vault.digest(row.phone[-6:], "phone:last6"),
        "last4": vault.digest(row.phone[-4:], "phone:last4"),
    }


def _spell(row: Any, opened: dict[int, date]) -> dict[str, Any]:
    """She has been in her branch since she joined; as far as known, since the branch is there."""
    since = opened[row.branch_id]
    now = datetime.now(UTC)
    return {
        "id": uuid7(),
        "member_id": row.id,
        "branch_id": row.branch_id,
        "province_id": row.province_id,
        "valid_from": max(row.joined_on or since, since),
        "joined_by": "admission",
        "revision": 1,
        "created_at": now,
        "updated_at": now,
    }


_LOGGED = (
    sa.update(_CHANGE)
    .where(_CHANGE.c.id == sa.bindparam("row_id", type_=_UUID))
    .values(before=sa.bindparam("was", type_=_JSON), after=sa.bindparam("became", type_=_JSON))
)


def _logged_phones() -> Iterator[list[Any]]:
    for rows in _rows(_CHANGE, _CHANGE.c.entity == "member"):
        held = [
            row for row in rows if (row.before or {}).get("phone") or (row.after or {}).get("phone")
        ]
        if held:
            yield held


def _logged(row: Any, turn: Any, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    def turned(values: dict[str, Any] | None) -> dict[str, Any] | None:
        kept = values and {name: v for name, v in values.items() if name not in without}
        if not kept or not kept.get("phone"):
            return kept
        return kept | {"phone": turn(kept["phone"])}

    return {"row_id": row.id, "was": turned(row.before), "became": turned(row.after)}


def _open_phones() -> None:
    """Back to phones as they were typed, in the table and in the log; what is new is gone from
    both: the revision before would show it to anybody."""
    bind = op.get_bind()
    vault = bind.dialect.vault
    update = (
        sa.update(_MEMBER)
        .where(_MEMBER.c.id == sa.bindparam("row_id", type_=_UUID))
        .values(phone=sa.bindparam("plain"), search_key=sa.bindparam("key"))
    )
    for rows in _rows(_MEMBER):
        bind.execute(
            update,
            [
                {
                    "row_id": row.id,
                    "plain": row.phone and vault.open(row.phone, "phone"),
                    "key": " ".join(w.partition("=")[0] for w in row.search_key.split()),
                }
                for row in rows
            ],
        )
    for rows in _rows(_CHANGE, _CHANGE.c.entity == "member"):
        bind.execute(
            _LOGGED, [_logged(row, lambda v: vault.open(v, "phone"), _NEW_FIELDS) for row in rows]
        )
    _forget_what_is_unknown()


_NEW_FIELDS = frozenset(
    {
        "core",
        "citizen_id",
        "id_card",
        "address",
        "hometown",
        "party",
        "party_joined_on",
        "education",
        "qualification",
        "occupation",
        "household_id",
        "photo",
    }
)


def _forget_what_is_unknown() -> None:
    """Grants that nothing would end any more, and answers that hold what it does not know."""
    bind = op.get_bind()
    grant = sa.table("access_grant", sa.column("role"), sa.column("appointment_id", _UUID))
    follows = grant.c.appointment_id.is_not(None)
    bind.execute(sa.delete(grant).where(sa.or_(grant.c.role == "delegate", follows)))
    bind.execute(sa.delete(_ANSWER))


# -- names as the app searched for them at this revision: a copy, which never changes

_LOOK_ALIKES = str.maketrans("Ðð", "Đđ")
_INVISIBLE = re.compile(
    "[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]"
)
_APOSTROPHES = "'\u2018\u2019\u02bc"
_HYPHENS = "-\u2010\u2011"
_BARE = str.maketrans("đƀy", "dbi")
_ONE_I = str.maketrans("yỳỷỹýỵYỲỶỸÝỴ", "iìỉĩíịIÌỈĨÍỊ")
_NO_APOSTROPHE = str.maketrans("", "", _APOSTROPHES)
_NOT_WORD = re.compile(r"[\W_]+")
_SHAPES = {
    "a\u0306": "a{",
    "a\u0302": "a|",
    "e\u0302": "e{",
    "o\u0302": "o{",
    "o\u031b": "o|",
    "u\u031b": "u{",
}
_WEIGHTS = (
    {char: char for char in ".0123456789abcdefghijklmnopqrstuvwxyz"}
    | {"đ": "d{", "ƀ": "b{"}
    | dict.fromkeys(_HYPHENS, "-")
    | dict.fromkeys(_APOSTROPHES, "/")
)
_TONES = {"\u0300": "1", "\u0309": "2", "\u0303": "3", "\u0301": "4", "\u0323": "5"}
_OTHER_MARK = "6"


def clean(text: str) -> str:
    """Text as we store it: NFC, real Đ, no invisible characters, single spaces, trimmed.

    Other control characters (NUL) stay, for the schemas to refuse.
    """
    visible = _INVISIBLE.sub("", text).translate(_LOOK_ALIKES)
    return " ".join(unicodedata.normalize("NFC", visible).split())


def fold(text: str) -> str:
    """Search fold: case, marks, đ/d, y/i and spacing do not count; punctuation stays.

    Tone placement falls out with the marks: hoà and hòa are both "hoa".
    """
    bare = "".join(char for char in _decomposed(clean(text)) if not unicodedata.combining(char))
    return clean(bare.translate(_BARE))


def search_words(text: str) -> list[tuple[str, str | None]]:
    """The words of a name, each folded ("hoa") and, where it carries marks, with them ("1hoa").

    For the stored name and for what is typed in the search box alike. The tone comes first and
    belongs to the word, not to a letter: hoà and hòa are both "1hoa", and both begin like "1ho".
    """
    words = _NOT_WORD.sub(" ", _casefolded(clean(text)).translate(_NO_APOSTROPHE)).split()
    return [_search_word(word) for word in words]


def search_key(full_name: str) -> str:
    """What a search compares with: "Đỗ Thị Hoà" gives " do=3d{o| thi=5thi hoa=1hoa ".

    One column answers both questions: `% hoa=%` finds the word as folded, `%=1hoa %` with its marks.
    """
    return "".join(f" {bare}={marked or ''}" for bare, marked in search_words(full_name)) + " "


def _decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())


def _casefolded(text: str) -> str:
    return unicodedata.normalize("NFC", _decomposed(text))


@lru_cache(maxsize=4096)
def _search_word(word: str) -> tuple[str, str | None]:
    letters, tones = _levels(word.translate(_ONE_I))
    bare = fold(word)
    marked = f"{tones[:1] or '0'}{letters}"
    return bare, None if marked == f"0{bare}" else marked


@lru_cache(maxsize=4096)
def _levels(field: str) -> tuple[str, str]:
    """The letters of a field and, syllable by syllable, its tones (none = ngang)."""
    letters = [""]
    tones = []
    for char in _decomposed(field):
        if shape := _SHAPES.get(letters[-1] + char):
            letters[-1] = shape
        elif unicodedata.combining(char):
            tones.append(_TONES.get(char, _OTHER_MARK))
        elif char == " ":
            letters.append(",")
            tones.append(",")
        else:
            letters.append(_WEIGHTS.get(char) or f"~{ord(char):06x}")
    return "".join(letters), "".join(tones)
