"""what units choose for lists is remembered by the shape of their headers"""

from uuid import uuid4

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")


def _id() -> object:
    made = uuid4()
    return made if op.get_bind().dialect.name == "postgresql" else made.bytes


def upgrade() -> None:
    memory = op.create_table(
        "import_memory",
        sa.Column("id", _ID, nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("shape", sa.String(32), nullable=False),
        sa.Column("headers", _JSON, nullable=False),
        sa.Column("fields", _JSON, nullable=False),
        sa.Column("options", _JSON, nullable=False),
        sa.Column("meanings", sa.Text(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("updated_by", _ID, nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name="fk_import_memory_unit_id_unit", ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_import_memory"),
    )
    op.create_index(
        "uq_import_memory_shape", "import_memory", ["unit_id", "kind", "shape"], unique=True
    )
    op.add_column("import", sa.Column("meanings", sa.Text(), nullable=True))
    mapping = sa.table(
        "import_mapping",
        sa.column("unit_id", sa.Integer()),
        sa.column("kind", sa.String()),
        sa.column("fields", _JSON),
        sa.column("updated_at", sa.DateTime(timezone=True)),
    )
    # Columns were remembered by their headers alone, and go on to be.
    rows = op.get_bind().execute(sa.select(mapping)).mappings()
    remembered = [
        {"id": _id(), "shape": "", "headers": [], "options": {}, "revision": 1, **row}
        for row in rows
    ]
    if remembered:
        op.bulk_insert(memory, remembered)
    op.drop_table("import_mapping")


def downgrade() -> None:
    """Columns stay remembered, one memory for each unit; what was chosen besides is lost."""
    op.create_table(
        "import_mapping",
        sa.Column("unit_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("fields", _JSON, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name="fk_import_mapping_unit_id_unit", ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("unit_id", "kind", name="pk_import_mapping"),
    )
    op.execute(
        sa.text(
            "INSERT INTO import_mapping SELECT unit_id, kind, fields, updated_at"
            " FROM import_memory AS kept WHERE NOT EXISTS (SELECT 1 FROM import_memory AS other"
            " WHERE other.unit_id = kept.unit_id AND other.kind = kept.kind"
            " AND (other.updated_at, other.shape) > (kept.updated_at, kept.shape))"
        )
    )
    op.drop_column("import", "meanings")
    op.drop_index("uq_import_memory_shape", "import_memory")
    op.drop_table("import_memory")
