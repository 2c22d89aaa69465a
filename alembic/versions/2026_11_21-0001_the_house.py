"""the house"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "change",
        sa.Column("id", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "account_id", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=True
        ),
        sa.Column(
            "session_id", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=True
        ),
        sa.Column("device", sa.String(120), nullable=True),
        sa.Column("request_id", sa.String(64), nullable=True),
        sa.Column("source", sa.String(32), nullable=False),
        sa.Column("source_ref", sa.String(200), nullable=True),
        sa.Column("entity", sa.String(32), nullable=False),
        sa.Column("entity_id", sa.String(36), nullable=False),
        sa.Column("operation", sa.String(32), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column(
            "before", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True
        ),
        sa.Column("after", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_change"),
    )
    op.create_index(
        "ix_change_entity_entity_id_id", "change", ["entity", "entity_id", "id"], unique=False
    )
    op.create_table(
        "feed",
        sa.Column(
            "change_id", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=False
        ),
        sa.Column("operation", sa.String(32), nullable=False),
        sa.Column("entity", sa.String(32), nullable=False),
        sa.Column("entity_id", sa.String(36), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=True),
        sa.Column("province_id", sa.Integer(), nullable=True),
        sa.Column("district_id", sa.Integer(), nullable=True),
        sa.Column("commune_id", sa.Integer(), nullable=True),
        sa.Column("branch_id", sa.Integer(), nullable=True),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_feed"),
    )
    op.create_index("ix_feed_branch_id_seq", "feed", ["branch_id", "seq"], unique=False)
    op.create_index("ix_feed_change_id", "feed", ["change_id"], unique=False)
    op.create_index("ix_feed_commune_id_seq", "feed", ["commune_id", "seq"], unique=False)
    op.create_index(
        "ix_feed_entity_entity_id_seq", "feed", ["entity", "entity_id", "seq"], unique=False
    )
    op.create_table(
        "feed_head",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_feed_head"),
    )
    op.create_table(
        "idempotent_answer",
        sa.Column(
            "account_id", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=False
        ),
        sa.Column("key", sa.String(128), nullable=False),
        sa.Column("request_digest", sa.String(64), nullable=False),
        sa.Column("grants_digest", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column(
            "headers", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False
        ),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "key", name="pk_idempotent_answer"),
    )
    op.create_index(
        "ix_idempotent_answer_created_at", "idempotent_answer", ["created_at"], unique=False
    )
    op.create_table(
        "outbox",
        sa.Column(
            "change_id", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=False
        ),
        sa.Column("operation", sa.String(32), nullable=False),
        sa.Column("entity", sa.String(32), nullable=False),
        sa.Column("entity_id", sa.String(36), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=True),
        sa.Column("province_id", sa.Integer(), nullable=True),
        sa.Column("district_id", sa.Integer(), nullable=True),
        sa.Column("commune_id", sa.Integer(), nullable=True),
        sa.Column("branch_id", sa.Integer(), nullable=True),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
    )
    op.create_table(
        "unit",
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("level", sa.String(32), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column(
            "name_key",
            sa.String().with_variant(sa.String(collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "sort_key",
            sa.String().with_variant(sa.String(collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("code", sa.String(20), nullable=True),
        sa.Column("area_type", sa.String(32), nullable=True),
        sa.Column("parent_id", sa.Integer(), nullable=True),
        sa.Column("province_id", sa.Integer(), nullable=True),
        sa.Column("district_id", sa.Integer(), nullable=True),
        sa.Column("commune_id", sa.Integer(), nullable=True),
        sa.Column("branch_id", sa.Integer(), nullable=True),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.Column("phone", sa.String(20), nullable=True),
        sa.Column("email", sa.String(254), nullable=True),
        sa.Column("address", sa.String(300), nullable=True),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["unit.id"], name="fk_unit_parent_id_unit", ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_unit"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_unit_commune_id", "unit", ["commune_id"], unique=False)
    op.create_index("ix_unit_district_id", "unit", ["district_id"], unique=False)
    op.create_index("ix_unit_level_sort_key", "unit", ["level", "sort_key", "id"], unique=False)
    op.create_index("ix_unit_parent_id", "unit", ["parent_id"], unique=False)
    op.create_index("ix_unit_province_id", "unit", ["province_id"], unique=False)
    op.create_table(
        "member",
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("commune_id", sa.Integer(), nullable=True),
        sa.Column("branch_id", sa.Integer(), nullable=False),
        sa.Column("full_name", sa.String(120), nullable=False),
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
        sa.Column("birth_date", sa.String(10), nullable=False),
        sa.Column("birth_year", sa.Integer(), nullable=False),
        sa.Column("gender", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("joined_on", sa.Date(), nullable=True),
        sa.Column("phone", sa.String(20), nullable=True),
        sa.Column("ethnicity", sa.String(2), nullable=True),
        sa.Column("religion", sa.String(32), nullable=True),
        sa.ForeignKeyConstraint(
            ["branch_id"], ["unit.id"], name="fk_member_branch_id_unit", ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["commune_id"], ["unit.id"], name="fk_member_commune_id_unit", ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["province_id"], ["unit.id"], name="fk_member_province_id_unit", ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_member"),
        postgresql_with={"fillfactor": 90},
    )
    op.create_index(
        "ix_member_branch_id_sort_key_id", "member", ["branch_id", "sort_key", "id"], unique=False
    )
    op.create_index(
        "ix_member_commune_id_sort_key_id", "member", ["commune_id", "sort_key", "id"], unique=False
    )
    op.create_index(
        "ix_member_province_id_sort_key_id",
        "member",
        ["province_id", "sort_key", "id"],
        unique=False,
    )
    op.create_index("ix_member_sort_key_id", "member", ["sort_key", "id"], unique=False)
    op.create_table(
        "unit_closure",
        sa.Column("ancestor_id", sa.Integer(), nullable=False),
        sa.Column("descendant_id", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["ancestor_id"],
            ["unit.id"],
            name="fk_unit_closure_ancestor_id_unit",
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["descendant_id"],
            ["unit.id"],
            name="fk_unit_closure_descendant_id_unit",
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint(
            "ancestor_id", "descendant_id", "valid_from", name="pk_unit_closure"
        ),
    )
    op.create_index(
        "ix_unit_closure_descendant_id",
        "unit_closure",
        ["descendant_id", "ancestor_id"],
        unique=False,
    )
    op.create_table(
        "unit_edge",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("parent_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["unit.id"], name="fk_unit_edge_parent_id_unit", ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name="fk_unit_edge_unit_id_unit", ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("unit_id", "valid_from", name="pk_unit_edge"),
    )
    op.create_index("ix_unit_edge_parent_id", "unit_edge", ["parent_id"], unique=False)
    op.create_table(
        "unit_identifier",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("scheme", sa.String(32), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("value", sa.String(200), nullable=False),
        sa.Column(
            "value_key",
            sa.String().with_variant(sa.String(collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name="fk_unit_identifier_unit_id_unit", ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("unit_id", "scheme", "valid_from", name="pk_unit_identifier"),
    )
    op.create_index(
        "ix_unit_identifier_scheme_value", "unit_identifier", ["scheme", "value"], unique=False
    )
    op.create_index(
        "uq_unit_identifier_current_code",
        "unit_identifier",
        ["value"],
        unique=True,
        sqlite_where=sa.text("valid_to IS NULL AND scheme = 'gso'"),
        postgresql_where=sa.text("valid_to IS NULL AND scheme = 'gso'"),
    )
    op.create_table(
        "unit_succession",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("from_unit_id", sa.Integer(), nullable=False),
        sa.Column("to_unit_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("decree", sa.String(200), nullable=True),
        sa.Column("inferred", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["from_unit_id"],
            ["unit.id"],
            name="fk_unit_succession_from_unit_id_unit",
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["to_unit_id"],
            ["unit.id"],
            name="fk_unit_succession_to_unit_id_unit",
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_unit_succession"),
    )
    op.create_index(
        "ix_unit_succession_from_unit_id", "unit_succession", ["from_unit_id"], unique=False
    )
    op.create_index(
        "ix_unit_succession_to_unit_id", "unit_succession", ["to_unit_id"], unique=False
    )
    op.create_table(
        "account",
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column(
            "username",
            sa.String().with_variant(sa.String(collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("display_name", sa.String(120), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=True),
        sa.Column("password_hash", sa.String(300), nullable=True),
        sa.Column("secret_digest", sa.String(64), nullable=True),
        sa.Column("code_digest", sa.String(64), nullable=True),
        sa.Column("code_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("armed_by", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name="fk_account_member_id_member", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name="fk_account_unit_id_unit", ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_account"),
        sa.UniqueConstraint("username", name="uq_account_username"),
    )
    op.create_index("ix_account_unit_id", "account", ["unit_id"], unique=False)
    op.create_table(
        "access_grant",
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=False),
        sa.Column(
            "account_id", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=False
        ),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column(
            "granted_by", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=True
        ),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
            name="fk_access_grant_account_id_account",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name="fk_access_grant_unit_id_unit", ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_access_grant"),
    )
    op.create_index("ix_access_grant_account_id", "access_grant", ["account_id"], unique=False)
    op.create_index("ix_access_grant_unit_id", "access_grant", ["unit_id"], unique=False)
    op.create_table(
        "auth_session",
        sa.Column("id", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=False),
        sa.Column(
            "account_id", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=False
        ),
        sa.Column("device", sa.String(120), nullable=True),
        sa.Column("user_agent", sa.String(200), nullable=True),
        sa.Column("must_change_password", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_reason", sa.String(32), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
            name="fk_auth_session_account_id_account",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_auth_session"),
    )
    op.create_index("ix_auth_session_account_id", "auth_session", ["account_id"], unique=False)
    op.create_table(
        "refresh_token",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column(
            "session_id", sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite"), nullable=False
        ),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["auth_session.id"],
            name="fk_refresh_token_session_id_auth_session",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("digest", name="pk_refresh_token"),
    )
    op.create_index("ix_refresh_token_session_id", "refresh_token", ["session_id"], unique=False)
    # The sequencer locks this row; the change log starts at 0.
    op.execute("INSERT INTO feed_head (id, seq) VALUES (1, 0)")


def downgrade() -> None:
    op.drop_index("ix_refresh_token_session_id", table_name="refresh_token")
    op.drop_table("refresh_token")
    op.drop_index("ix_auth_session_account_id", table_name="auth_session")
    op.drop_table("auth_session")
    op.drop_index("ix_access_grant_unit_id", table_name="access_grant")
    op.drop_index("ix_access_grant_account_id", table_name="access_grant")
    op.drop_table("access_grant")
    op.drop_index("ix_account_unit_id", table_name="account")
    op.drop_table("account")
    op.drop_index("ix_unit_succession_to_unit_id", table_name="unit_succession")
    op.drop_index("ix_unit_succession_from_unit_id", table_name="unit_succession")
    op.drop_table("unit_succession")
    op.drop_index(
        "uq_unit_identifier_current_code",
        table_name="unit_identifier",
        sqlite_where=sa.text("valid_to IS NULL AND scheme = 'gso'"),
        postgresql_where=sa.text("valid_to IS NULL AND scheme = 'gso'"),
    )
    op.drop_index("ix_unit_identifier_scheme_value", table_name="unit_identifier")
    op.drop_table("unit_identifier")
    op.drop_index("ix_unit_edge_parent_id", table_name="unit_edge")
    op.drop_table("unit_edge")
    op.drop_index("ix_unit_closure_descendant_id", table_name="unit_closure")
    op.drop_table("unit_closure")
    op.drop_index("ix_member_sort_key_id", table_name="member")
    op.drop_index("ix_member_province_id_sort_key_id", table_name="member")
    op.drop_index("ix_member_commune_id_sort_key_id", table_name="member")
    op.drop_index("ix_member_branch_id_sort_key_id", table_name="member")
    op.drop_table("member")
    op.drop_index("ix_unit_province_id", table_name="unit")
    op.drop_index("ix_unit_parent_id", table_name="unit")
    op.drop_index("ix_unit_level_sort_key", table_name="unit")
    op.drop_index("ix_unit_district_id", table_name="unit")
    op.drop_index("ix_unit_commune_id", table_name="unit")
    op.drop_table("unit")
    op.drop_table("outbox")
    op.drop_index("ix_idempotent_answer_created_at", table_name="idempotent_answer")
    op.drop_table("idempotent_answer")
    op.drop_table("feed_head")
    op.drop_index("ix_feed_entity_entity_id_seq", table_name="feed")
    op.drop_index("ix_feed_commune_id_seq", table_name="feed")
    op.drop_index("ix_feed_change_id", table_name="feed")
    op.drop_index("ix_feed_branch_id_seq", table_name="feed")
    op.drop_table("feed")
    op.drop_index("ix_change_entity_entity_id_id", table_name="change")
    op.drop_table("change")
