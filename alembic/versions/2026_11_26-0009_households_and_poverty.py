"""households and poverty"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")
_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
# What may not overlap on any day: (name, table, the key, the rows it holds for).
_OVERLAPS = (
    ("ex_household_place_days", "household_place", "household_id", None),
    ("ex_household_person_days", "household_person", "person_id", None),
    ("ex_household_person_heads", "household_person", "household_id", "relation = 'head'"),
    ("ex_poverty_status_days", "poverty_status", "household_id", "annulled_on IS NULL"),
)


def _id(name: str, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, _ID, **{"nullable": False} | options)


def _revised() -> list[sa.Column[Any]]:
    return [
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    ]


def _to(table: str, column: str, target: str, ondelete: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{target}")
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=name, ondelete=ondelete)


def upgrade() -> None:
    _household()
    _place()
    _person()
    _event()
    _assessment()
    _status()
    for overlap in _OVERLAPS:
        _refuse_overlaps(*overlap)


def _household() -> None:
    op.create_table(
        "household",
        *_revised(),
        _id("id"),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("commune_id", sa.Integer(), nullable=True),
        sa.Column("branch_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(40), nullable=True),
        _id("head_id"),
        sa.Column("head_name", sa.String(120), nullable=False),
        sa.Column("sort_key", _KEY, nullable=False),
        sa.Column("search_key", _KEY, nullable=False),
        sa.Column("address", sa.String(300), nullable=True),
        sa.Column("area_type", sa.String(32), nullable=True),
        sa.Column("female_headed", sa.Boolean(), nullable=False),
        sa.Column("ethnic_minority", sa.Boolean(), nullable=False),
        sa.Column("merit", sa.Boolean(), nullable=False),
        sa.Column("no_labour_capacity", sa.Boolean(), nullable=False),
        sa.Column("person_count", sa.Integer(), nullable=False),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.Column("poverty_class", sa.String(32), nullable=True),
        sa.Column("poverty_since", sa.Date(), nullable=True),
        sa.Column("assessed_class", sa.String(32), nullable=True),
        sa.Column("assessed_on", sa.Date(), nullable=True),
        sa.Column("union_label", sa.String(32), nullable=True),
        sa.Column("union_label_on", sa.Date(), nullable=True),
        *(
            _to("household", f"{level}_id", "unit", "RESTRICT")
            for level in ("province", "commune", "branch")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_household")),
    )
    for level in ("branch", "commune", "province"):
        columns = [f"{level}_id", "sort_key", "id"]
        op.create_index(f"ix_household_{level}_id_sort_key_id", "household", columns)
    op.create_index("ix_household_sort_key_id", "household", ["sort_key", "id"])
    op.create_index(
        "ix_household_commune_id_poverty_class", "household", ["commune_id", "poverty_class"]
    )
    op.create_index("ix_household_code", "household", ["code"])
    op.create_index("ix_household_head_id", "household", ["head_id"])


def _place() -> None:
    op.create_table(
        "household_place",
        _id("household_id"),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("branch_id", sa.Integer(), nullable=False),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(300), nullable=True),
        sa.Column("area_type", sa.String(32), nullable=True),
        _to("household_place", "household_id", "household", "CASCADE"),
        _to("household_place", "branch_id", "unit", "RESTRICT"),
        sa.PrimaryKeyConstraint("household_id", "valid_from", name=op.f("pk_household_place")),
    )
    op.create_index(
        "ix_household_place_branch_id_valid_from",
        "household_place",
        ["branch_id", "valid_from", "valid_to"],
    )


def _person() -> None:
    op.create_table(
        "household_person",
        *_revised(),
        _id("id"),
        _id("household_id"),
        _id("person_id"),
        _id("member_id", nullable=True),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("full_name", sa.String(120), nullable=True),
        sa.Column("birth_date", sa.String(10), nullable=True),
        sa.Column("gender", sa.String(32), nullable=True),
        sa.Column("relation", sa.String(32), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("ended_by", sa.String(32), nullable=True),
        _to("household_person", "household_id", "household", "CASCADE"),
        _to("household_person", "member_id", "member", "RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_household_person")),
    )
    for column in ("household_id", "person_id"):
        op.create_index(f"ix_household_person_{column}", "household_person", [column, "valid_from"])
    _unique_open("uq_household_person_open", "household_person", "person_id", "valid_to IS NULL")
    heads = "valid_to IS NULL AND relation = 'head'"
    _unique_open("uq_household_person_head", "household_person", "household_id", heads)


def _unique_open(name: str, table: str, column: str, where: str) -> None:
    condition = sa.text(where)
    op.create_index(
        name, table, [column], unique=True, sqlite_where=condition, postgresql_where=condition
    )


def _event() -> None:
    op.create_table(
        "household_event",
        _id("id"),
        _id("household_id"),
        _id("other_household_id", nullable=True),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("before", _JSON, nullable=True),
        sa.Column("after", _JSON, nullable=True),
        sa.Column("note", sa.String(500), nullable=True),
        _id("account_id", nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        _to("household_event", "household_id", "household", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_household_event")),
    )
    op.create_index(
        "ix_household_event_household_id",
        "household_event",
        ["household_id", "effective_on", "id"],
    )


def _assessment() -> None:
    op.create_table(
        "assessment",
        *_revised(),
        _id("id"),
        _id("household_id"),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("commune_id", sa.Integer(), nullable=True),
        sa.Column("branch_id", sa.Integer(), nullable=False),
        sa.Column("standard", sa.String(32), nullable=False),
        sa.Column("rule_version", sa.String(64), nullable=False),
        sa.Column("assessed_on", sa.Date(), nullable=False),
        sa.Column("area_type", sa.String(32), nullable=True),
        sa.Column("income_per_person", sa.BigInteger(), nullable=True),
        sa.Column("income_points", sa.Integer(), nullable=True),
        sa.Column("answers", _JSON, nullable=False),
        sa.Column("source", sa.String(32), nullable=False),
        sa.Column("assessor", sa.String(120), nullable=True),
        sa.Column("witnesses", _JSON, nullable=False),
        sa.Column("evidence", _JSON, nullable=False),
        sa.Column("note", sa.String(500), nullable=True),
        sa.Column("poverty_class", sa.String(32), nullable=False),
        sa.Column("deprived", _JSON, nullable=False),
        sa.Column("result", _JSON, nullable=False),
        _id("corrects_id", nullable=True),
        _id("account_id", nullable=True),
        _to("assessment", "household_id", "household", "CASCADE"),
        _to("assessment", "corrects_id", "assessment", "RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assessment")),
    )
    op.create_index(
        "ix_assessment_household_id_assessed_on",
        "assessment",
        ["household_id", "assessed_on", "id"],
    )
    op.create_index(
        "ix_assessment_branch_id_assessed_on", "assessment", ["branch_id", "assessed_on"]
    )
    op.create_index("uq_assessment_corrects_id", "assessment", ["corrects_id"], unique=True)


def _status() -> None:
    op.create_table(
        "poverty_status",
        *_revised(),
        _id("id"),
        _id("household_id"),
        sa.Column("province_id", sa.Integer(), nullable=False),
        sa.Column("commune_id", sa.Integer(), nullable=True),
        sa.Column("branch_id", sa.Integer(), nullable=False),
        sa.Column("poverty_class", sa.String(32), nullable=False),
        sa.Column("change", sa.String(32), nullable=False),
        sa.Column("decision_number", sa.String(60), nullable=False),
        sa.Column("decided_on", sa.Date(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("standard", sa.String(32), nullable=False),
        sa.Column("causes", _JSON, nullable=False),
        _id("assessment_id", nullable=True),
        sa.Column("note", sa.String(500), nullable=True),
        sa.Column("annulled_on", sa.Date(), nullable=True),
        _id("ended_by_id", nullable=True),
        _id("account_id", nullable=True),
        _to("poverty_status", "household_id", "household", "CASCADE"),
        _to("poverty_status", "assessment_id", "assessment", "RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_poverty_status")),
    )
    op.create_index(
        "ix_poverty_status_household_id_valid_from",
        "poverty_status",
        ["household_id", "valid_from"],
    )
    for level in ("branch", "commune"):
        op.create_index(
            f"ix_poverty_status_{level}_id_valid_from",
            "poverty_status",
            [f"{level}_id", "valid_from", "valid_to"],
        )
    in_force = "valid_to IS NULL AND annulled_on IS NULL"
    _unique_open("uq_poverty_status_open", "poverty_status", "household_id", in_force)


def _refuse_overlaps(name: str, table: str, key: str, where: str | None) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
        op.execute(
            f"ALTER TABLE {table} ADD CONSTRAINT {name} EXCLUDE USING gist"
            f" ({key} WITH =, daterange(valid_from, valid_to, '[]') WITH &&)"
            + (f" WHERE ({where})" if where else "")
        )
        return
    # SQLite has one writer, so that a look before each write sees all there is.
    mine = "".join(f" AND {row}.{where}" if where else "" for row in ("NEW", "other"))
    for verb in ("INSERT", "UPDATE"):
        op.execute(
            f"CREATE TRIGGER {name}_{verb.lower()} BEFORE {verb} ON {table} BEGIN"  # noqa: S608  # names of ours
            f" SELECT RAISE(ABORT, 'UNIQUE constraint failed: index ''{name}''') FROM {table} AS other"
            f" WHERE other.{key} = NEW.{key}"
            + (" AND other.rowid <> NEW.rowid" if verb == "UPDATE" else "")
            + " AND other.valid_from <= coalesce(NEW.valid_to, '9999-12-31')"
            f" AND NEW.valid_from <= coalesce(other.valid_to, '9999-12-31'){mine}; END"
        )


def downgrade() -> None:
    # The members stay; the households they are in are gone.
    op.execute(
        "UPDATE member SET household_id = NULL WHERE household_id IN (SELECT id FROM household)"
    )
    for table in (
        "poverty_status",
        "assessment",
        "household_event",
        "household_person",
        "household_place",
        "household",
    ):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP EXTENSION IF EXISTS btree_gist")
