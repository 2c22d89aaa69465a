"""Checks of the manifests: a server does not start with inconsistent capabilities.

An incomplete declaration of a table, a right or a job would be noticed much later: by an erasure
that leaves a name, or by a job that never runs.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pkgutil import walk_packages
from types import ModuleType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from sqlmodel import SQLModel

from app.models.kernel.access import Right
from app.models.kernel.jobs import Jobs
from app.services.kernel.manifest import Capability, Manifest, Table
from app.services.kernel.unit_ends import unit_columns


class BadCapability(RuntimeError):
    """A manifest that does not hold together; the message names its file."""


def check(manifest: Manifest) -> None:
    """Raises `BadCapability` with all that is wrong."""
    models = [module for each in manifest.capabilities for module in _modules(each.models)]
    wrong = [
        *_ownership(manifest.capabilities, models),
        *_declared_twice(manifest.capabilities),
        *(text for each in manifest.capabilities for text in _tracked(each)),
        *(text for each in manifest.capabilities for text in _rights(each)),
        *(text for each in manifest.capabilities for text in _unit_ends(each)),
        *_jobs(manifest.jobs, models),
        *(text for each in manifest.capabilities for own in each.checks for text in own(manifest)),
    ]
    if wrong:
        raise BadCapability("; ".join(wrong))


def _modules(package: str) -> Iterator[ModuleType]:
    if find_spec(package) is None:
        return
    for found in walk_packages(import_module(package).__path__, f"{package}."):
        yield import_module(found.name)


def _file(module: str) -> str:
    return module.replace(".", "/") + ".py"


def _ownership(capabilities: Sequence[Capability], models: Sequence[ModuleType]) -> Iterator[str]:
    owners = Counter(model for each in capabilities for model in each.owned)
    for model, count in owners.items():
        if count > 1:
            files = ", ".join(each.file for each in capabilities if model in each.owned)
            yield f"{files}: the table {model.__tablename__} has more than one owner"
    tables = list(_tables(models))
    named = {model: each for each in capabilities for model in _named(each)}
    for model, each in named.items():
        if model not in owners and model not in tables:
            yield f"{each.file}: nobody owns the table {model.__tablename__}"
    for model in tables:
        if model not in owners:
            yield f"{_file(model.__module__)}: nobody owns the table {model.__tablename__}"


def _named(capability: Capability) -> Iterator[Table]:
    """Every table that a manifest says something about."""
    yield from capability.tracked
    yield from capability.nobody
    yield from capability.unit_ends
    yield from capability.resealed
    yield from (each.model for each in capability.holdings)
    yield from (each.model for each in capability.scanned)
    yield from (each.model for each in capability.pointers)
    yield from (each.model for each in capability.retention)


def _declared_twice(capabilities: Sequence[Capability]) -> Iterator[str]:
    """Of two declarations under one name the later one would silently replace the other."""
    named: dict[tuple[str, str], list[str]] = defaultdict(list)
    for each in capabilities:
        named["the capability", each.name].append(each.file)
        for tracked in each.tracked.values():
            named["the entity", tracked.entity].append(each.file)
        for field in fields(each):
            # Rows of figures are named within their capability.
            for name in () if field.name == "figures" else _names(getattr(each, field.name)):
                named[f"{field.name}:", name].append(each.file)
    for (what, name), files in named.items():
        if len(files) > 1:
            yield f"{', '.join(files)}: {what} {name} is declared more than once"


def _names(declared: object) -> Iterator[str]:
    """What the parts of a field are found by: its keys, or the name or kind of each part."""
    if isinstance(declared, Mapping):
        yield from (str(getattr(key, "__tablename__", key)) for key in declared)
    elif isinstance(declared, tuple):
        for part in declared:
            if name := getattr(part, "name", None) or getattr(part, "kind", None):
                yield str(name)


def _tables(models: Sequence[ModuleType]) -> Iterator[Table]:
    for module in models:
        for value in vars(module).values():
            own = isinstance(value, type) and value.__module__ == module.__name__
            if own and issubclass(value, SQLModel) and hasattr(value, "__table__"):
                yield value


def _tracked(capability: Capability) -> Iterator[str]:
    """A logged table declares which columns identify a person, or that none does."""
    said = {each.model for each in capability.holdings}
    said |= {each.model for each in capability.scanned}
    for model in capability.tracked:
        if model not in said and model not in capability.nobody:
            yield f"{capability.file}: holdings say nothing of the tracked table {model.__tablename__}"


def _unit_ends(capability: Capability) -> Iterator[str]:
    """A table that names units declares what happens to its rows when one closes."""
    for model in capability.owned:
        if unit_columns(model) and model not in capability.unit_ends:
            yield f"{capability.file}: unit_ends say nothing of the table {model.__tablename__}"


def _rights(capability: Capability) -> Iterator[str]:
    for right in sorted({*_declared_rights(capability, Capability)} - {*Right}):
        yield f"{capability.file}: {right!r} is no right (app/models/kernel/access.py)"


_hints = cache(get_type_hints)


def _declared_rights(declared: object, hint: Any) -> Iterator[str]:
    """What stands where the declarations have a `Right`, at any depth."""
    of_parts = get_args(hint)
    if hint is Right:
        yield str(declared)
    elif get_origin(hint) in (Union, UnionType):
        for option in of_parts if declared is not None else ():
            yield from _declared_rights(declared, option)
    elif isinstance(declared, Mapping) and of_parts:
        for value in declared.values():
            yield from _declared_rights(value, of_parts[1])
    elif isinstance(declared, tuple | frozenset) and of_parts:
        for part in declared:
            yield from _declared_rights(part, of_parts[0])
    elif isinstance(hint, type) and is_dataclass(hint) and isinstance(declared, hint):
        hints = _hints(hint)
        for field in fields(hint):
            yield from _declared_rights(getattr(declared, field.name), hints[field.name])


def _jobs(handlers: Mapping[str, object], models: Sequence[ModuleType]) -> Iterator[str]:
    for module in models:
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Jobs) and value is not Jobs:
                for kind in value if value.__module__ == module.__name__ else ():
                    if kind.value not in handlers:
                        yield f"{_file(module.__name__)}: nobody does the job {kind.value}"
