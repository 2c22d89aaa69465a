"""poverty flows, support, escape paths"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")
_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def _revised() -> list[sa.Column[Any]]:
    return [
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    ]


def upgrade() -> None:
    _flows()
    _support()
    _paths()


def _flows() -> None:
    op.create_table(
        "poverty_stay",
        sa.Column("id", _ID, nullable=False),
        sa.Column("household_id", _ID, nullable=False),
        sa.Column("poverty_class", sa.String(32), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("entered", sa.String(32), nullable=False),
        sa.Column("left_by", sa.String(32), nullable=True),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("branch_id", sa.Integer(), nullable=False),
        sa.Column("commune_id", sa.Integer(), nullable=True),
        sa.Column("district_id", sa.Integer(), nullable=True),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("now_commune_id", sa.Integer(), nullable=True),
        sa.Column("now_district_id", sa.Integer(), nullable=True),
        sa.Column("now_province_id", sa.Integer(), nullable=True),
        sa.Column("area", sa.String(32), nullable=True),
        sa.Column("ethnicity", sa.String(2), nullable=True),
        sa.Column("minority", sa.Boolean(), nullable=False),
        sa.Column("female_head", sa.Boolean(), nullable=False),
        sa.Column("causes", _JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["household_id"],
            ["household.id"],
            name=op.f("fk_poverty_stay_household_id_household"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_poverty_stay")),
    )
    op.create_index(
        "ix_poverty_stay_branch_id",
        "poverty_stay",
        ["branch_id", "valid_from", "valid_to", "poverty_class"],
    )
    op.create_index(
        "ix_poverty_stay_commune_id",
        "poverty_stay",
        ["commune_id", "valid_from", "valid_to", "poverty_class"],
    )
    op.create_index(
        "ix_poverty_stay_district_id",
        "poverty_stay",
        ["district_id", "valid_from", "valid_to", "poverty_class"],
    )
    op.create_index("ix_poverty_stay_household_id", "poverty_stay", ["household_id", "valid_from"])
    op.create_index(
        "ix_poverty_stay_province_id",
        "poverty_stay",
        ["province_id", "valid_from", "valid_to", "poverty_class"],
    )
    op.create_table(
        "poverty_flow",
        sa.Column("unit_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("basis", sa.String(32), nullable=False),
        sa.Column("by", sa.String(12), nullable=False),
        sa.Column("grain", sa.String(32), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("poverty_class", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("part", sa.String(40), nullable=False),
        sa.Column("households", sa.Integer(), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(
            "unit_id",
            "basis",
            "by",
            "grain",
            "starts_on",
            "poverty_class",
            "kind",
            "part",
            name=op.f("pk_poverty_flow"),
        ),
        sqlite_with_rowid=False,
    )


def _support() -> None:
    op.create_table(
        "support",
        *_revised(),
        sa.Column("id", _ID, nullable=False),
        sa.Column("household_id", _ID, nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("commune_id", sa.Integer(), nullable=True),
        sa.Column("branch_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("programme", sa.String(40), nullable=True),
        sa.Column("deprivation", sa.String(40), nullable=True),
        sa.Column("provider", sa.String(120), nullable=True),
        sa.Column("given_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("quantity", sa.BigInteger(), nullable=True),
        sa.Column("quantity_unit", sa.String(32), nullable=True),
        sa.Column("value_vnd", sa.BigInteger(), nullable=True),
        sa.Column("as_of", sa.Date(), nullable=True),
        sa.Column("source", sa.String(200), nullable=True),
        sa.Column("child_id", _ID, nullable=True),
        sa.Column("guardian_consent_on", sa.Date(), nullable=True),
        sa.Column("note", sa.String(500), nullable=True),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("proposed_by", _ID, nullable=True),
        sa.Column("decided_by", _ID, nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refused_reason", sa.String(500), nullable=True),
        sa.ForeignKeyConstraint(
            ["household_id"],
            ["household.id"],
            name=op.f("fk_support_household_id_household"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_support")),
    )
    op.create_index("ix_support_branch_id_id", "support", ["branch_id", "id"])
    op.create_index("ix_support_child_id", "support", ["child_id"])
    op.create_index("ix_support_commune_id_id", "support", ["commune_id", "id"])
    op.create_index(
        "ix_support_household_id_deprivation",
        "support",
        ["household_id", "deprivation", "given_on"],
    )
    op.create_index("ix_support_province_id_id", "support", ["province_id", "id"])
    op.create_table(
        "household_visit",
        *_revised(),
        sa.Column("id", _ID, nullable=False),
        sa.Column("household_id", _ID, nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("visited_on", sa.Date(), nullable=False),
        sa.Column("visitors", _JSON, nullable=False),
        sa.Column("needs", _JSON, nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("next_on", sa.Date(), nullable=True),
        sa.Column("account_id", _ID, nullable=True),
        sa.ForeignKeyConstraint(
            ["household_id"],
            ["household.id"],
            name=op.f("fk_household_visit_household_id_household"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_household_visit")),
    )
    op.create_index(
        "ix_household_visit_household_id", "household_visit", ["household_id", "visited_on", "id"]
    )
    op.create_table(
        "loan_figure",
        *_revised(),
        sa.Column("id", _ID, nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=True),
        sa.Column("scheme", sa.String(32), nullable=False),
        sa.Column("group_name", sa.String(120), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("source", sa.String(200), nullable=False),
        sa.Column("groups", sa.Integer(), nullable=False),
        sa.Column("borrowers", sa.Integer(), nullable=False),
        sa.Column("outstanding_vnd", sa.BigInteger(), nullable=False),
        sa.Column("overdue_vnd", sa.BigInteger(), nullable=False),
        sa.Column("savings_vnd", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name=op.f("fk_loan_figure_unit_id_unit"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_loan_figure")),
        sa.UniqueConstraint(
            "unit_id", "scheme", "group_name", "as_of", name="uq_loan_figure_as_of"
        ),
    )


def _paths() -> None:
    op.create_table(
        "escape_path",
        *_revised(),
        sa.Column("id", _ID, nullable=False),
        sa.Column("household_id", _ID, nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("helper_id", sa.Integer(), nullable=False),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.Column("target_on", sa.Date(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.Column("note", sa.String(500), nullable=True),
        sa.Column("account_id", _ID, nullable=True),
        sa.ForeignKeyConstraint(
            ["helper_id"],
            ["unit.id"],
            name=op.f("fk_escape_path_helper_id_unit"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["household_id"],
            ["household.id"],
            name=op.f("fk_escape_path_household_id_household"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_escape_path")),
    )
    op.create_index("ix_escape_path_helper_id_id", "escape_path", ["helper_id", "id"])
    op.create_index("ix_escape_path_household_id", "escape_path", ["household_id"])
    op.create_index(
        "uq_escape_path_open",
        "escape_path",
        ["household_id"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "escape_step",
        *_revised(),
        sa.Column("id", _ID, nullable=False),
        sa.Column("path_id", _ID, nullable=False),
        sa.Column("household_id", _ID, nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("deprivation", sa.String(40), nullable=True),
        sa.Column("responsible", sa.String(120), nullable=True),
        sa.Column("responsible_member_id", _ID, nullable=True),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("done_on", sa.Date(), nullable=True),
        sa.Column("note", sa.String(500), nullable=True),
        sa.ForeignKeyConstraint(
            ["household_id"],
            ["household.id"],
            name=op.f("fk_escape_step_household_id_household"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["path_id"],
            ["escape_path.id"],
            name=op.f("fk_escape_step_path_id_escape_path"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["responsible_member_id"],
            ["member.id"],
            name=op.f("fk_escape_step_responsible_member_id_member"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_escape_step")),
    )
    op.create_index("ix_escape_step_path_id", "escape_step", ["path_id", "due_on"])
    op.create_index(
        "ix_escape_step_undone",
        "escape_step",
        ["due_on"],
        unique=False,
        sqlite_where=sa.text("done_on IS NULL"),
        postgresql_where=sa.text("done_on IS NULL"),
    )
    op.create_table(
        "escape_check",
        *_revised(),
        sa.Column("id", _ID, nullable=False),
        sa.Column("path_id", _ID, nullable=False),
        sa.Column("household_id", _ID, nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("months", sa.Integer(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("done_on", sa.Date(), nullable=True),
        sa.Column("outcome", sa.String(32), nullable=True),
        sa.Column("note", sa.String(500), nullable=True),
        sa.ForeignKeyConstraint(
            ["household_id"],
            ["household.id"],
            name=op.f("fk_escape_check_household_id_household"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["path_id"],
            ["escape_path.id"],
            name=op.f("fk_escape_check_path_id_escape_path"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_escape_check")),
        sa.UniqueConstraint("path_id", "months", name="uq_escape_check_months"),
    )
    op.create_index(
        "ix_escape_check_undone",
        "escape_check",
        ["due_on"],
        unique=False,
        sqlite_where=sa.text("done_on IS NULL"),
        postgresql_where=sa.text("done_on IS NULL"),
    )


def downgrade() -> None:
    for table in (
        "escape_check",
        "escape_step",
        "escape_path",
        "loan_figure",
        "household_visit",
        "support",
        "poverty_flow",
        "poverty_stay",
    ):
        op.drop_table(table)
