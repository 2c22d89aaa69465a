"""Every module of every package is imported with this one, so that Alembic and foreign keys find
every table, and every foreign key its index."""

from importlib import import_module
from pkgutil import walk_packages

import sqlalchemy as sa
from sqlmodel import SQLModel


def _is_led_by(table: sa.Table, names: list[str]) -> bool:
    """Whether a key or an index finds the rows with these values."""
    of_keys = [
        [column.name for column in key.columns]
        for key in table.constraints
        if isinstance(key, sa.PrimaryKeyConstraint | sa.UniqueConstraint)
    ]
    of_indexes = [
        [getattr(column, "name", None) for column in index.expressions]
        for index in table.indexes
        if index.dialect_options["postgresql"]["where"] is None
    ]
    return any(columns[: len(names)] == names for columns in of_keys + of_indexes)


def index_foreign_keys(metadata: sa.MetaData) -> None:
    """Each foreign key that leads no index gets one: where a row that is pointed to is deleted, the
    database looks for those that point to it, else through the whole table."""
    for table in metadata.tables.values():
        for key in table.foreign_key_constraints:
            names = [column.name for column in key.columns]
            if _is_led_by(table, names):
                continue
            filled = " AND ".join(
                f"{each.name} IS NOT NULL" for each in key.columns if each.nullable
            )
            where = sa.text(filled) if filled else None
            sa.Index(
                f"ix_{table.name}_{'_'.join(names)}",
                *key.columns,
                sqlite_where=where,
                postgresql_where=where,
            )


for _module in walk_packages(__path__, f"{__name__}."):
    import_module(_module.name)
index_foreign_keys(SQLModel.metadata)
