"""`hoiso`: serve, worker, migrate, demo, account, openapi."""

import json
import secrets
import time
from pathlib import Path
from typing import Annotated

import typer
import uvicorn
from alembic import command
from alembic.config import Config
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlmodel import Session

from app.api import contract
from app.config import Environment, Settings, get_settings
from app.db import Database
from app.main import create_app
from app.models.access import Role
from app.models.changes import ChangeSource
from app.services import bootstrap, changes, demo, housekeeping
from app.services.signin import Signin

ROOT = Path(__file__).parent.parent
app = typer.Typer(help="Hội Số: the backend of a women's union.", no_args_is_help=True)
console = Console()


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="HOISO_HOST")] = None,
    port: Annotated[int | None, typer.Option(help="HOISO_PORT")] = None,
) -> None:
    """Serve the API. One process a core on PostgreSQL, one process in all on SQLite."""
    settings = get_settings()
    uvicorn.run(
        create_app(settings),
        host=host or settings.host,
        port=port or settings.port,
        access_log=False,
        server_header=False,
        log_level="warning",
        forwarded_allow_ips=settings.trusted_proxies,
    )


@app.command()
def worker(
    once: Annotated[bool, typer.Option(help="Do what is due and stop.")] = False,
) -> None:
    """Work in the background: number changes, forget expired sessions and stored answers."""
    database = Database(get_settings())
    try:
        while True:
            changes.settle(database)
            with database.writing() as session:
                forgotten = housekeeping.run(session)
            if once:
                console.print(f"forgot {forgotten} expired rows")
                return
            for _ in range(60 * 60):
                time.sleep(1)
                changes.settle(database)
    except KeyboardInterrupt:
        pass
    finally:
        database.close()


@app.command()
def migrate(revision: str = "head") -> None:
    """Bring the database's tables to a revision (default: the newest)."""
    settings = get_settings()
    Database(settings).close()  # makes the folder of a SQLite file
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("script_location", str(ROOT / "alembic"))
    config.attributes["url"] = settings.database_url
    command.upgrade(config, revision)


@app.command("demo")
def load_demo(
    password: Annotated[
        str | None, typer.Option(help="One for all accounts; HOISO_DEMO_PASSWORD; else generated.")
    ] = None,
    scale: demo.Scale = demo.Scale.district,
    if_empty: Annotated[bool, typer.Option(help="Do nothing when there is data already.")] = False,
) -> None:
    """Load the demo district (Cẩm Khê as of 2024, synthetic people) into an empty database."""
    settings = get_settings()
    if settings.environment is Environment.production:
        raise typer.BadParameter("the demo is not for production")
    database = Database(settings)
    with Session(database.writer, autoflush=False, expire_on_commit=False) as session:
        if not demo.is_empty(session):
            if if_empty:
                _print_kept(settings)
                return
            raise typer.BadParameter("the database holds data already")
        session.rollback()
        chosen = password or settings.demo_password or secrets.token_urlsafe(9)
        loaded = _load(session, settings, scale, chosen)
    database.close()
    console.print(
        f"{loaded.members:,} members in {loaded.branches} branches, {loaded.accounts_total} accounts"
    )
    _print_accounts(loaded.accounts, chosen, settings)


def _load(session: Session, settings: Settings, scale: demo.Scale, password: str) -> demo.Demo:
    # Up to a district all or nothing; a province in steps, so that nobody else waits for minutes.
    commit = session.commit if scale is demo.Scale.province else session.flush
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("members", total=None)

        def report(what: str, done: int, total: int) -> None:
            progress.update(task, description=what, completed=done, total=total)

        loaded = demo.load(
            session,
            scale=scale,
            password_hash=Signin(settings).hash_password(password),
            progress=report,
            commit=commit,
        )
        session.commit()
    return loaded


def _print_accounts(
    accounts: tuple[demo.DemoAccount, ...], password: str, settings: Settings
) -> None:
    table = Table("account", "role", "unit", "who")
    for account in accounts:
        table.add_row(account.username, account.role, account.unit, account.what)
    console.print(table)
    note = settings.data_dir / "demo-password"
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(password)
    note.chmod(0o600)
    _print_first_steps(password, settings)


def _print_kept(settings: Settings) -> None:
    note = settings.data_dir / "demo-password"
    if note.exists():
        _print_first_steps(note.read_text(), settings)


def _print_first_steps(password: str, settings: Settings) -> None:
    base = f"http://{settings.host}:{settings.port}"
    console.print(f"\nThe password of every demo account: [bold]{password}[/bold]\nTry:\n")
    sign_in = (
        f"TOKEN=$(curl -s {base}/v1/auth/token -d grant_type=password -d username=phuongvi-1"
        f" -d password={password} | python3 -c 'import json,sys; print(json.load(sys.stdin)[\"access_token\"])')"
    )
    for line in (
        sign_in,
        f'curl -s {base}/v1/members?limit=3 -H "authorization: Bearer $TOKEN"',
        f'curl -s {base}/v1/branches -H "authorization: Bearer $TOKEN" -H "accept: text/csv"',
    ):
        console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"\nThe pages of the API: {base}/docs\n")


@app.command()
def account(
    username: str,
    role: Annotated[Role, typer.Option()],
    unit: Annotated[str, typer.Option(help="Government code, or id of the unit.")],
    name: Annotated[str, typer.Option(help="The name shown.")] = "",
) -> None:
    """Give an account a role over a unit, from the server itself: how the first officer gets in."""
    settings = get_settings()
    database = Database(settings)
    with database.writing() as session:
        changes.attribute(session, changes.Origin(ChangeSource.cli, source_ref="hoiso account"))
        code = bootstrap.give_account(
            session,
            Signin(settings),
            username=username,
            display_name=name or username,
            role=role,
            unit=unit,
        )
    database.close()
    console.print(f"{username}: {role.value} over {unit}")
    if code:
        console.print(f"One-time code (sign in with it, then set a password): [bold]{code}[/bold]")


@app.command()
def unit(
    level: str,
    name: str,
    opened_on: Annotated[str, typer.Option(help="YYYY-MM-DD")],
    code: Annotated[str | None, typer.Option(help="Government code")] = None,
) -> None:
    """Open the first unit, the root of the tree. All others are opened over HTTP."""
    database = Database(get_settings())
    with database.writing() as session:
        changes.attribute(session, changes.Origin(ChangeSource.cli, source_ref="hoiso unit"))
        unit_id = bootstrap.open_root(
            session, level=level, name=name, opened_on=opened_on, code=code
        )
    database.close()
    console.print(f"unit {unit_id}: {name}")


@app.command()
def openapi(
    check: Annotated[bool, typer.Option(help="Compare instead of writing.")] = False,
) -> None:
    """Write the contract and its two subsets to openapi/, or say whether they are up to date."""
    schema = create_app(Settings(environment=Environment.test)).openapi()
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
        console.print(f"not up to date: {', '.join(stale)}; run `make openapi`")
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
