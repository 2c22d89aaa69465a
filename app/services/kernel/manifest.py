"""The manifest of a capability, and the manifests of all that are installed put together.

Each package of `app/services` has a `capability.py` with its `CAPABILITY`; `services/capabilities`
lists them and installs them. Code that needs their declarations calls `manifest()`: nobody imports
a package for its registrations, and no list is kept far from its table.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from sqlmodel import Session, SQLModel

from app import errors
from app.db import Database, NotInstalled, SessionListener, follow_sessions
from app.models.accounts.work import WorkKind
from app.models.base import sealed_fields
from app.models.exports.exports import ExportKind
from app.models.feed.events import NewsKindName
from app.models.imports.imports import ImportKind
from app.models.kernel.access import Right
from app.models.kernel.following import EntityName
from app.models.kernel.jobs import JobKind, Jobs
from app.models.notices.notifications import NotificationKind
from app.models.sync.operations import OperationName
from app.models.sync.pull import SyncKindName
from app.services.kernel.due import Due
from app.services.kernel.holdings import ForgetAll, ForgetEach, Holding, Scanned
from app.services.kernel.list_kinds import KindOfList
from app.services.kernel.named import Named
from app.services.kernel.notice_kinds import NoticeKind
from app.services.kernel.offers import (
    FigureRows,
    News,
    NewsKind,
    SyncData,
    SyncKind,
    Without,
    Work,
)
from app.services.kernel.operation_kinds import OperationKind
from app.services.kernel.pointers import Pointer
from app.services.kernel.retention import Kept
from app.services.kernel.tracking import Tracked
from app.services.kernel.unit_ends import UnitEnd
from app.workbooks import headers

Table = type[SQLModel]
# Does a job (`kernel.jobs.Task`); its answer is the job's result, as JSON.
JobHandler = Callable[[Any], dict[str, Any]]
# Of a row: the transaction, its id, and the columns that are sealed anew, opened.
Resealed = Callable[[Session, Any, Mapping[str, Any]], Mapping[str, Any]]
Follower = TypeVar("Follower")


@dataclass(frozen=True, slots=True)
class JobWork:
    """What does one kind of job, and the right over its unit without which its result is no longer
    shown to who asked for it; None where the result is about nobody."""

    run: JobHandler
    right: Right | None
    # It enters facts of the past: until it is done, counts of them are not whole (`jobs.filling`).
    fills: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """Periodic work, done by one process at a time."""

    run: Callable[[Database], int]
    every: timedelta = timedelta(hours=1)
    # `run` returns how many expired rows it has deleted.
    forgets: bool = False


def forgetting(forget: Callable[[Session], int]) -> Upkeep:
    """Deletes what has expired, every hour in a transaction of its own."""

    def run(database: Database) -> int:
        with database.writing() as session:
            return forget(session)

    return Upkeep(run=run, forgets=True)


@dataclass(frozen=True, kw_only=True)
class Capability:
    """What one package brings. `module` is the manifest's own: it names the package."""

    module: str
    # What waits for people, figures of units, what phones keep, news for feeds: each is offered in
    # the manifest, or the capability says why not.
    work: tuple[Work, ...] | Without
    figures: tuple[FigureRows, ...] | Without
    sync: tuple[SyncKind | SyncData, ...] | Without
    events: News | Without
    # What it takes from phones that were offline (kernel/operation_kinds).
    operations: tuple[OperationKind, ...] | Without
    # The tables whose rows this package alone selects as entities, inserts, updates and deletes.
    owned: tuple[Table, ...] = ()
    # What happens to the rows of each table that names a unit when that unit closes.
    unit_ends: Mapping[Table, UnitEnd] = field(default_factory=dict)
    # What ids in request bodies name, by its kind (`Names` in models/base.py).
    named: Mapping[str, Named] = field(default_factory=dict)
    # The tables the change log follows.
    tracked: Mapping[Table, Tracked] = field(default_factory=dict)
    # Where its tables identify a person (kernel/holdings).
    holdings: tuple[Holding, ...] = ()
    scanned: tuple[Scanned, ...] = ()
    # Text columns of the tables that mention no person.
    nobody: Mapping[Table, frozenset[str]] = field(default_factory=dict)
    # Looks through what is scanned: for each person, or once for all where each row is opened.
    forget_each: tuple[ForgetEach, ...] = ()
    forget_all: tuple[ForgetAll, ...] = ()
    # How long its rows are kept.
    retention: tuple[Kept, ...] = ()
    # What columns are called in a person's copy of the data: Vietnamese, English.
    labels: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    # Its columns that name a member, and what a merge of two records does to their rows.
    pointers: tuple[Pointer, ...] = ()
    # What follows a sealed column when it is sealed with another key: further columns of the row.
    resealed: Mapping[Table, Resealed] = field(default_factory=dict)
    # Its periodic work.
    upkeep: tuple[Upkeep, ...] = ()
    # What it does by itself that a restore has to ask about first (kernel/due).
    due: tuple[Due, ...] = ()
    # The kinds of lists that it takes from files (kernel/list_kinds).
    import_kinds: tuple[KindOfList, ...] = ()
    # What does each kind of its long work.
    jobs: Mapping[Jobs, JobWork] = field(default_factory=dict)
    # What it does when something happens in a capability below it: each an instance of a class that
    # the followed one declares.
    follows: tuple[object, ...] = ()
    # The tags of its operations in the contract, and which kinds of clients need each.
    tags: Mapping[str, str] = field(default_factory=dict)
    audience: Mapping[str, frozenset[str]] = field(default_factory=dict)
    # The kinds of notices it sends (kernel/notice_kinds).
    notices: tuple[NoticeKind, ...] = ()
    # What has to happen in every transaction, by any writer.
    listeners: tuple[SessionListener, ...] = ()
    # Files of texts, in app/data/problems.
    problems: tuple[str | Path, ...] = ()
    # What its figures are; without it app/data/figures/<name>.yaml.
    figure_definitions: Path | None = None
    # What it finds wrong in the declarations of all capabilities, each with its file.
    checks: tuple[Callable[["Manifest"], Iterable[str]], ...] = ()

    @property
    def name(self) -> str:
        """The word of its folders: `support` of `app.services.support.capability`."""
        return self.module.split(".")[-2]

    @property
    def api(self) -> str:
        """The package of its routers; there may be none."""
        return self._beside("api")

    @property
    def models(self) -> str:
        """The package of its tables and schemas; there may be none."""
        return self._beside("models")

    def _beside(self, layer: str) -> str:
        return self.module.removesuffix(".capability").replace(".services.", f".{layer}.")

    @property
    def file(self) -> str:
        return self.module.replace(".", "/") + ".py"


@dataclass(frozen=True)
class Manifest:
    """The declarations of all installed capabilities."""

    capabilities: tuple[Capability, ...]

    @cached_property
    def tracked(self) -> Mapping[Table, Tracked]:
        return {model: each for c in self.capabilities for model, each in c.tracked.items()}

    @cached_property
    def by_entity(self) -> Mapping[str, tuple[Table, Tracked]]:
        return {tracked.entity: (model, tracked) for model, tracked in self.tracked.items()}

    @cached_property
    def named(self) -> Mapping[str, Named]:
        return {kind: named for c in self.capabilities for kind, named in c.named.items()}

    @cached_property
    def owners(self) -> Mapping[Table, Capability]:
        return {model: each for each in self.capabilities for model in each.owned}

    @cached_property
    def unit_ends(self) -> Mapping[Table, UnitEnd]:
        return {model: end for c in self.capabilities for model, end in c.unit_ends.items()}

    @cached_property
    def holdings(self) -> Sequence[Holding]:
        """What is of the record first, then what is of the accounts."""
        found = [holding for each in self.capabilities for holding in each.holdings]
        return sorted(found, key=lambda holding: holding.of_account)

    @cached_property
    def scanned(self) -> Sequence[Scanned]:
        return [scanned for each in self.capabilities for scanned in each.scanned]

    @cached_property
    def nobody(self) -> Mapping[Table, frozenset[str]]:
        return {model: names for c in self.capabilities for model, names in c.nobody.items()}

    @cached_property
    def work(self) -> Sequence[Work]:
        offered = (each.work for each in self.capabilities)
        return [work for works in offered if not isinstance(works, Without) for work in works]

    @cached_property
    def operations(self) -> Mapping[str, OperationKind]:
        taken = (each.operations for each in self.capabilities)
        return {
            kind.name: kind for kinds in taken if not isinstance(kinds, Without) for kind in kinds
        }

    @cached_property
    def figures(self) -> Mapping[str, Sequence[FigureRows]]:
        """By the name of the capability whose rows they are."""
        offered = ((each.name, each.figures) for each in self.capabilities)
        return {name: rows for name, rows in offered if not isinstance(rows, Without)}

    @cached_property
    def on_phones(self) -> Mapping[str, SyncKind | SyncData]:
        """What phones keep, by name: data of the release, then rows, parents first."""
        return {**self.sync_data, **self.sync}

    @cached_property
    def news(self) -> Mapping[str, NewsKind]:
        """What followers of the feed read of, by its entity."""
        told = (each.events for each in self.capabilities)
        return {kind.entity: kind for news in told if isinstance(news, News) for kind in news.kinds}

    @cached_property
    def figure_definitions(self) -> Mapping[str, Path]:
        """The files that are not in app/data/figures, by the name of their capability."""
        files = ((each.name, each.figure_definitions) for each in self.capabilities)
        return {name: file for name, file in files if file is not None}

    @cached_property
    def sync(self) -> Mapping[str, SyncKind]:
        return {each.name: each for each in self._offered if isinstance(each, SyncKind)}

    @cached_property
    def sync_data(self) -> Mapping[str, SyncData]:
        return {each.name: each for each in self._offered if isinstance(each, SyncData)}

    @cached_property
    def _offered(self) -> Sequence[SyncKind | SyncData]:
        offered = (each.sync for each in self.capabilities)
        return [kind for kinds in offered if not isinstance(kinds, Without) for kind in kinds]

    @cached_property
    def retention(self) -> Sequence[Kept]:
        return [kept for each in self.capabilities for kept in each.retention]

    @cached_property
    def labels(self) -> Mapping[str, tuple[str, str]]:
        return {column: label for c in self.capabilities for column, label in c.labels.items()}

    @cached_property
    def pointers(self) -> Sequence[Pointer]:
        return [pointer for each in self.capabilities for pointer in each.pointers]

    @cached_property
    def sealed(self) -> Sequence[Table]:
        """The tables that have sealed columns."""
        return [model for model in self.owners if sealed_fields(model)]

    @cached_property
    def resealed(self) -> Mapping[Table, Resealed]:
        return {model: each for c in self.capabilities for model, each in c.resealed.items()}

    @cached_property
    def tags(self) -> Mapping[str, str]:
        return {name: text for c in self.capabilities for name, text in c.tags.items()}

    @cached_property
    def audience(self) -> Mapping[str, frozenset[str]]:
        return {name: clients for c in self.capabilities for name, clients in c.audience.items()}

    @cached_property
    def import_kinds(self) -> Mapping[str, KindOfList]:
        return {kind.name: kind for each in self.capabilities for kind in each.import_kinds}

    @cached_property
    def notices(self) -> Mapping[str, NoticeKind]:
        return {kind.name: kind for each in self.capabilities for kind in each.notices}

    @cached_property
    def due(self) -> Sequence[Due]:
        return [due for each in self.capabilities for due in each.due]

    @cached_property
    def jobs(self) -> dict[str, JobWork]:
        return {kind.value: work for each in self.capabilities for kind, work in each.jobs.items()}

    def followers(self, kind: type[Follower]) -> Sequence[Follower]:
        """Those who follow what this class is about."""
        return self._following.get(kind, ())

    @cached_property
    def _following(self) -> Mapping[type[Any], Sequence[Any]]:
        """Looked for once: each write of a record asks."""
        following: defaultdict[type[Any], list[Any]] = defaultdict(list)
        for capability in self.capabilities:
            for each in capability.follows:
                following[type(each)].append(each)
        return following


class _Installed:
    manifest: Manifest | None = None


def manifest() -> Manifest:
    """The declarations of the capabilities of this process."""
    found = _Installed.manifest
    if found is None:
        raise NotInstalled
    return found


def has(capabilities: Sequence[Capability]) -> bool:
    """These very capabilities are installed."""
    found = _Installed.manifest
    return found is not None and list(map(id, found.capabilities)) == list(map(id, capabilities))


def use(made: Manifest) -> None:
    """Have these capabilities, and no others."""
    capabilities = made.capabilities
    errors.install([errors.FOLDER / file for each in capabilities for file in each.problems])
    _Installed.manifest = made
    EntityName.known = tuple(made.by_entity)
    JobKind.known = tuple(made.jobs)
    NotificationKind.known = tuple(made.notices)
    OperationName.known = tuple(made.operations)
    WorkKind.known = tuple(work.kind for work in made.work)
    ImportKind.known = tuple(made.import_kinds)
    SyncKindName.known = tuple(made.on_phones)
    ExportKind.known = tuple(made.sync)
    NewsKindName.known = tuple(made.news)
    headers.install({kind.name: kind.columns for kind in made.import_kinds.values()})
    follow_sessions([listener for each in capabilities for listener in each.listeners])


def tracked_of(model: Any) -> Tracked:
    """How the change log follows this table, which it does."""
    return manifest().tracked[model]
