"""The demo on the terminal: a progress bar, the accounts, and lines to try."""

import secrets
from collections.abc import Callable
from contextlib import closing

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlmodel import Session

from app.config import Environment, Settings
from app.db import Database
from app.services.demo import demo, introductions, past, reforms
from app.services.demo.plan import Scale
from app.services.identity.signin import Signin
from app.services.kernel.limits import Limits

console = Console()


def load(
    settings: Settings,
    *,
    password: str | None,
    scale: str,
    if_empty: bool,
    meetings_later: bool = False,
    reformed: bool = False,
) -> None:
    """Load the demo into an empty database and print how to use it."""
    if scale not in [each.value for each in Scale]:
        raise typer.BadParameter("the scale is small, district or province")
    if settings.environment is Environment.production:
        raise typer.BadParameter("the demo is not for production")
    with (
        closing(Database(settings)) as database,
        Session(database.writer, autoflush=False, expire_on_commit=False) as session,
    ):
        if not demo.is_empty(session):
            if if_empty:
                _print_kept(session, settings)
                return
            raise typer.BadParameter("the database holds data already")
        session.rollback()
        chosen = password or settings.demo_password or secrets.token_urlsafe(9)
        console.print(_HOW_LONG[Scale(scale)])
        loaded = _load(
            session,
            settings,
            Scale(scale),
            chosen,
            meetings=not meetings_later,
            reformed=reformed,
        )
        if meetings_later:
            with database.writing() as asking:
                past.later(asking)
            console.print(_LATER)
        console.print(
            f"{loaded.members:,} members in {loaded.branches} branches,"
            f" {loaded.accounts_total} accounts"
        )
        _keep(chosen, settings)
        _print_accounts(session)
    _print_first_steps(chosen, settings)


_HOW_LONG = {
    Scale.small: "Loading a small demo: a second or two.",
    Scale.district: "Loading the demo district: about half a minute on two cores that are free.",
    Scale.province: "Loading the demo province: some minutes.",
}
_LATER = (
    "The meetings of the last twelve months are loaded while the server runs, in about half a minute;"
    " until then counts of attendance say `loading`."
)


def _load(
    session: Session,
    settings: Settings,
    scale: Scale,
    password: str,
    *,
    meetings: bool,
    reformed: bool,
) -> demo.Demo:
    # Up to a district all or nothing; a province in steps, so that nobody else waits for minutes.
    signin = Signin(settings, Limits(settings.rate_limit_storage))
    commit = session.commit if scale is Scale.province else session.flush
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

        password_hash = signin.hasher.hash(password)
        loaded = demo.load(
            session,
            scale=scale,
            password_hash=password_hash,
            progress=report,
            commit=commit,
        )
        _load_reforms(session, progress, password_hash, commit, done=reformed)
        held = _load_meetings(session, progress, loaded.branches, commit) if meetings else 0
        session.commit()
    if meetings:
        console.print(f"{held:,} participations in the meetings of the last twelve months")
    return loaded


def _load_reforms(
    session: Session,
    progress: Progress,
    password_hash: str,
    commit: Callable[[], None],
    *,
    done: bool,
) -> None:
    drafted = reforms.draft(session)
    commit()
    if not done:
        return
    task = progress.add_task("reforms of 2025", total=len(drafted))
    for each in drafted:
        reforms.carry_out(session, each, password_hash)
        commit()
        progress.advance(task)


def _load_meetings(
    session: Session, progress: Progress, branches: int, commit: Callable[[], None]
) -> int:
    task = progress.add_task("meetings", total=branches)

    def held(what: str, done: int, total: int) -> None:
        progress.update(task, description=f"{what}: meetings", completed=done, total=total)

    return past.load(session, progress=held, commit=commit)


def _print_accounts(session: Session) -> None:
    table = Table("account", "role", "unit", "who")
    for account in introductions.introduced(session):
        table.add_row(account.username, account.role, account.unit, account.what)
    console.print(table)


def _keep(password: str, settings: Settings) -> None:
    note = settings.data_dir / "demo-password"
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(password)
    note.chmod(0o600)


def _print_kept(session: Session, settings: Settings) -> None:
    note = settings.data_dir / "demo-password"
    if note.exists():
        _print_accounts(session)
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
        f'curl -s "{base}/v1/members?limit=3" -H "authorization: Bearer $TOKEN"',
        f'curl -s "{base}/v1/sessions?limit=3" -H "authorization: Bearer $TOKEN"',
        f'curl -s {base}/v1/branches -H "authorization: Bearer $TOKEN" -H "accept: text/csv"',
    ):
        console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"\nThe pages of the API: {base}/docs\n")
