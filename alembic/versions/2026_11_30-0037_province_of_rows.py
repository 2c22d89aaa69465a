"""rows about people are in the province of the member or household they hang on, and all say it"""

import sqlalchemy as sa
from alembic import op

from app.db.phases import fill, require

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

# Of the column that names the record: what hangs on it, and by which key it is walked through.
HANGING = {
    "household": (
        *("escape_check", "escape_path", "escape_step", "household_event", "household_person"),
        "household_visit",
    ),
    "member": (
        *("appointment", "consent", "correction_request", "member_card", "member_identifier"),
        *("participation", "privacy_request", "processing_limit", "training", "transfer"),
    ),
}


def upgrade() -> None:
    """What a reorganisation had left in the province of before goes to that of today."""
    for owner, tables in HANGING.items():
        for name in tables:
            _take_from(owner, name)
    require(op, "appointment", "province_id", sa.Integer())


def _take_from(owner: str, name: str) -> None:
    key = f"{owner}_id"
    record = sa.table(owner, sa.column("id"), sa.column("province_id"))
    rows = sa.table(name, sa.column(key), sa.column("province_id"))
    province = sa.select(record.c.province_id).where(record.c.id == rows.c[key]).scalar_subquery()
    fill(
        op,
        rows,
        {"province_id": province},
        rows.c.province_id.is_distinct_from(province),
        key=key,
    )


def downgrade() -> None:
    with op.batch_alter_table("appointment") as batch_op:
        batch_op.alter_column("province_id", existing_type=sa.Integer(), nullable=True)
