"""Every module of every package is imported with this one, so that Alembic and foreign keys find
every table."""

from importlib import import_module
from pkgutil import walk_packages

for _module in walk_packages(__path__, f"{__name__}."):
    import_module(_module.name)
