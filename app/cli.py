"""`hoiso`: serve, worker, migrate, demo, import, unit, account, rotate-keys, check, openapi.

What only one command needs (alembic, rich, the demo) is imported in it: `serve` starts faster.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
import uvicorn
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlmodel import Session
from typer.core import TyperGroup

from app import logs, memory
from app.api.http import contract
from app.api.http.connections import BoundedConnection
from app.api.http.serving import UvicornServer
from app.cautions import cautions
from app.cli_check import check
from app.config import BadSettings, Settings, get_settings
from app.db import Database, make_file
from app.errors import Problem
from app.main import contract_app, create_app
from app.models.imports.imports import ImportKind
from app.models.kernel.access import Role
from app.models.kernel.changes import ChangeSource
from app.models.kernel.units import UnitLevel
from app.problem_texts import BadTexts
from app.services.accounts import bootstrap
from app.services.attendance import code_keys
from app.services.backups.files import BackupRefused
from app.services.capabilities import CAPABILITIES, install
from app.services.files.stores import ensure_works
from app.services.kernel import (
    changes,
    key_rotation,
)
from app.services.kernel.refusals import BadCapability

ROOT = Path(__file__).parent.parent


_SAID_PLAINLY = (bootstrap.Refused, BackupRefused, BadSettings, BadTexts, BadCapability)


class Commands(TyperGroup):
    """Each mistake that is to be expected is a line on standard error, not a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            install()
            return super().invoke(ctx)
        except _SAID_PLAINLY as error:
            reason = str(error)
        except Problem as error:
            reason = _english(error)
        except DBAPIError as error:
            reason = _of_database(error)
        except OSError as error:
            reason = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        typer.echo(f"hoiso: {reason}", err=True)
        raise typer.Exit(1)


def _english(problem: Problem) -> str:
    rendered = problem.render(language="en", instance="", request_id="")
    fields = [error["detail"] for error in rendered.get("errors", [])]
    return " ".join(fields or [rendered["detail"]])


def _of_database(error: DBAPIError) -> str:
    reason = " ".join(str(error.orig).split())
    if isinstance(error, ProgrammingError) or "no such" in reason:
        return f"the database is not migrated: run `hoiso migrate` ({reason})"
    return f"the database does not answer: {reason}"


app = typer.Typer(
    cls=Commands, help="Hội Số: the backend of a women's union.", no_args_is_help=True
)
app.add_typer(check, name="check")


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="HOISO_HOST")] = None,
    port: Annotated[int | None, typer.Option(help="HOISO_PORT")] = None,
) -> None:
    """Serve the API. One process a core on PostgreSQL, one process in all on SQLite."""
    memory.keep_little()
    settings = get_settings()
    _warn_of(settings)
    ensure_works(settings)
    served = create_app(settings)
    config = uvicorn.Config(
        served,
        host=host or settings.host,
        port=port or settings.port,
        access_log=False,
        server_header=False,
        http=BoundedConnection,
        ws="none",
        log_level="warning",
        forwarded_allow_ips=settings.trusted_proxies,
    )
    server = UvicornServer(config, served)
    server.run()
    if not server.started:
        raise typer.Exit(_NOT_STARTED)


# As uvicorn's own command ends then.
_NOT_STARTED = 3


def _warn_of(settings: Settings) -> None:
    logs.configure(settings.log_level)
    for event, fields in cautions(settings, os.environ):
        logs.warning(event, **fields)


@app.command()
def worker(
    once: Annotated[bool, typer.Option(help="Do what is due and stop.")] = False,
) -> None:
    """Work in the background: do long jobs, number changes, approve transfers nobody answered,
    forget expired sessions and stored answers."""
    from app import cli_worker

    memory.keep_little()
    settings = get_settings()
    _warn_of(settings)
    ensure_works(settings)
    cli_worker.work(settings, once=once)


@app.command("rotate-keys")
def rotate_keys() -> None:
    """Seal what is stored with the first of HOISO_DATA_KEYS, so that the others can go."""
    database = Database(get_settings())
    try:
        typer.echo(f"sealed {key_rotation.rotate(database)} rows with the first key")
    finally:
        database.close()


@app.command("new-code-key")
def new_code_key() -> None:
    """From now on a new key signs the cards of members and the codes of sessions; printed ones stay
    good."""
    with _writing("new-code-key") as session:
        code_keys.add(session)
    typer.echo("a new key signs cards and codes; those of the older keys stay good")


@app.command("new-epoch")
def new_epoch() -> None:
    """After going back by other means than `hoiso restore`: what that does once the rows are there."""
    from app import cli_backup

    cli_backup.new_epoch(get_settings())


@app.command("due")
def show_due() -> None:
    """After a restore: what was due by then, and waits for `go-on`."""
    from app import cli_backup

    cli_backup.show_due(get_settings())


@app.command("go-on")
def go_on(
    decided_by: Annotated[str, typer.Argument(help="Who decided; it is recorded.")],
    drop: Annotated[
        list[str] | None, typer.Option(help="A kind of `hoiso due` that is not to be done.")
    ] = None,
) -> None:
    """After a restore: do what was due by then."""
    from app import cli_backup

    cli_backup.go_on(get_settings(), decided_by, drop or [])


@app.command()
def migrate(revision: str = "head") -> None:
    """Bring the database's tables to a revision (default: the newest)."""
    from alembic.util import CommandError

    from app.db import migrating

    settings = get_settings()
    Database(settings).close()  # refuses an SQLite that is too old
    make_file(settings)
    try:
        migrating.migrate(settings, revision)
    except CommandError as error:
        raise typer.BadParameter(str(error)) from error


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="A new file.")],
    without_files: Annotated[
        bool,
        typer.Option(help="Leave out the files: their folder or bucket is copied by other means."),
    ] = False,
) -> None:
    """Make a sealed backup of the database and its files while the server runs, and read it back.

    Ends with 3 when it is made, and files that the database names are not in their store."""
    from app import cli_backup

    cli_backup.back_up(get_settings(), file, with_files=not without_files)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    accept_lost_erasures: Annotated[
        str | None,
        typer.Option(help="Who decided to restore without HOISO_ERASURE_JOURNAL; it is recorded."),
    ] = None,
) -> None:
    """Restore a backup into an empty database, all or nothing, and erase again who was erased
    since."""
    from app import cli_backup

    cli_backup.restore(get_settings(), file, accept_lost_erasures)


@app.command("epochs")
def list_epochs() -> None:
    """The runs of numbers of the change log: the first, and one for each restore."""
    from app import cli_backup

    cli_backup.list_epochs(get_settings())


@app.command("demo")
def load_demo(
    password: Annotated[
        str | None, typer.Option(help="One for all accounts; HOISO_DEMO_PASSWORD; else generated.")
    ] = None,
    scale: Annotated[str, typer.Option(help="small, district, province or nation")] = "district",
    if_empty: Annotated[bool, typer.Option(help="Do nothing when there is data already.")] = False,
    meetings_later: Annotated[bool, typer.Option(help="Leave meetings to the server.")] = False,
    reformed: Annotated[bool, typer.Option(help="Apply the two reforms of 2025.")] = False,
    provinces: Annotated[int | None, typer.Option(help="Of a nation.", min=1, max=34)] = None,
    processes: Annotated[int | None, typer.Option(help="For a province or more.", min=1)] = None,
) -> None:
    """Load the demo district (Cẩm Khê as of 2024, synthetic people), or more, into an empty database."""
    from app import cli_demo

    kinds = (if_empty, meetings_later, reformed, provinces, processes)
    cli_demo.load(get_settings(), cli_demo.Wish(scale, password, *kinds))


_LIST_KINDS = [kind.name for each in CAPABILITIES for kind in each.import_kinds]


def _known(kind: str) -> str:
    if kind not in _LIST_KINDS:
        raise typer.BadParameter(f"{kind!r} is not one of {', '.join(_LIST_KINDS)}")
    return kind


@app.command("import")
def load_list(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)],
    unit: Annotated[str, typer.Option(help="Government code, or id of the unit.")],
    as_: Annotated[str, typer.Option("--as", help="The account whose rights it has.")],
    kind: Annotated[
        str, typer.Option(help=f"What the list is of: {' | '.join(_LIST_KINDS)}", callback=_known)
    ] = "members",
    apply: Annotated[bool, typer.Option("--apply", help="Write what was previewed.")] = False,
    atomic: Annotated[bool, typer.Option("--atomic", help="All rows or none.")] = False,
    back: Annotated[
        Path | None, typer.Option(help="Where to put the file with what became of each row.")
    ] = None,
) -> None:
    """Preview a list (.xlsx, .xls, .csv, .ndjson); with --apply, write it.

    Ends with 0 when every row is in order, with 2 when some are in error or may be duplicates.
    """
    from app import cli_import

    cli_import.load(
        get_settings(),
        file,
        unit=unit,
        kind=ImportKind(kind),
        username=as_,
        apply=apply,
        atomic=atomic,
        back=back,
    )


@contextmanager
def _writing(source: str) -> Iterator[Session]:
    """The one transaction of a command."""
    database = Database(get_settings())
    try:
        with database.writing() as session:
            changes.attribute(session, changes.Origin(ChangeSource.cli, source_ref=source))
            yield session
    finally:
        database.close()


@app.command()
def account(
    username: str,
    role: Annotated[Role, typer.Option()],
    unit: Annotated[str, typer.Option(help="Government code, or id of the unit.")],
    name: Annotated[str, typer.Option(help="The name shown.")] = "",
) -> None:
    """Give an account a role over a unit, from the server itself: how the first officer gets in."""
    with _writing("hoiso account") as session:
        given, code = bootstrap.give_account(
            session,
            get_settings(),
            username=username,
            display_name=name or username,
            role=role,
            unit=unit,
        )
    typer.echo(f"{given.username}: {role.value} over {unit}")
    if code:
        typer.echo(f"One-time code (sign in with it, then set a password): {code}")


@app.command()
def unit(
    level: UnitLevel,
    name: str,
    opened_on: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Its first day.")],
    code: Annotated[str | None, typer.Option(help="Government code")] = None,
) -> None:
    """Open the first unit, the root of the tree. All others are opened over HTTP."""
    with _writing("hoiso unit") as session:
        unit_id = bootstrap.open_root(
            session, level=level, name=name, opened_on=opened_on.date(), code=code
        )
    typer.echo(f"unit {unit_id}: {name}")


@app.command()
def openapi(
    check: Annotated[bool, typer.Option(help="Compare instead of writing.")] = False,
) -> None:
    """Write the contract and its two subsets to openapi/, or say whether they are up to date."""
    schema = contract_app().openapi()
    files = {"openapi": schema} | {n: contract.subset(schema, n) for n in contract.SUBSETS}
    stale = []
    for name, content in files.items():
        path = ROOT / "openapi" / f"{name}.json"
        text = json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
        if check and (not path.exists() or path.read_text() != text):
            stale.append(path.name)
        if not check:
            path.write_text(text)
    if stale:
        typer.echo(f"not up to date: {', '.join(stale)}; run `make openapi`")
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
