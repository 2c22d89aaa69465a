"""of the days of joining the union and the Party only the year or the month may be known"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_DAYS = ("joined_on", "party_joined_on")
_TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    with op.batch_alter_table("member") as batch_op:
        for name in _DAYS:
            batch_op.alter_column(
                name,
                existing_type=sa.Date(),
                type_=_TEXT,
                existing_nullable=True,
                postgresql_using=f"to_char({name}, 'YYYY-MM-DD')",
            )


def downgrade() -> None:
    # Of a year or a month the first day is kept.
    for name in _DAYS:
        first = f"substr({name} || '-01-01', 1, 10)"
        if op.get_bind().dialect.name == "postgresql":
            op.alter_column(
                "member", name, type_=sa.Date(), postgresql_using=f"to_date({first}, 'YYYY-MM-DD')"
            )
            continue
        # To convert the column in place would take 1985-03-08 for the number 1985.
        op.add_column("member", sa.Column(f"{name}_whole", sa.Date(), nullable=True))
        op.execute(f"UPDATE member SET {name}_whole = {first}")  # noqa: S608  # names of our own
        with op.batch_alter_table("member") as batch_op:
            batch_op.drop_column(name)
        with op.batch_alter_table("member") as batch_op:
            batch_op.alter_column(f"{name}_whole", new_column_name=name)
