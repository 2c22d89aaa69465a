"""The demo on the terminal: a progress bar, the accounts, and lines to try."""

import os
import secrets
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlmodel import Session

from app.config import Environment, Settings
from app.db import Database
from app.services.capabilities import install
from app.services.demo import demo, filling, introductions, past, reforms
from app.services.demo.plan import SAMPLES, Scale
from app.services.identity.signin import Signin
from app.services.kernel.limits import RateLimits

console = Console()
ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Wish:
    """What `hoiso demo` was asked for."""

    scale: str
    password: str | None = None
    if_empty: bool = False
    meetings_later: bool = False
    reformed: bool = False
    provinces: int | None = None
    processes: int | None = None


def load(settings: Settings, wish: Wish) -> None:
    """Load the demo and print how to use it."""
    if wish.scale not in [each.value for each in Scale]:
        raise typer.BadParameter("the scale is small, district, province or nation")
    if settings.environment is Environment.production:
        raise typer.BadParameter("the demo is not for production")
    scale = Scale(wish.scale)
    if wish.provinces is not None and scale is not Scale.nation:
        raise typer.BadParameter("only a nation can have fewer provinces")
    if wish.reformed and scale in SAMPLES:
        raise typer.BadParameter("the reforms are of the demo district")
    with (
        closing(Database(settings)) as database,
        Session(database.writer, autoflush=False, expire_on_commit=False) as session,
    ):
        empty = demo.is_empty(session)
        if not empty and wish.if_empty:
            _print_kept(session, settings)
            return
        if not empty and scale not in SAMPLES:
            raise typer.BadParameter("the database holds data already")
        session.rollback()
        chosen = wish.password or settings.demo_password or _kept(settings, empty=empty)
        console.print(_HOW_LONG[scale])
        if scale in SAMPLES:
            _ensure_room(settings, scale)
            _keep(chosen, settings)
            loaded = _fill(settings, wish, scale, chosen)
        else:
            loaded = _load(
                session,
                settings,
                scale,
                chosen,
                meetings=not wish.meetings_later,
                reformed=wish.reformed,
            )
            if wish.meetings_later:
                with database.writing() as asking:
                    past.later(asking)
                console.print(_LATER)
            _keep(chosen, settings)
        console.print(
            f"{loaded.members:,} members in {loaded.branches} branches,"
            f" {loaded.accounts_total} accounts"
        )
        _print_accounts(session)
    _print_first_steps(chosen, settings)


def _kept(settings: Settings, *, empty: bool) -> str:
    """The password of a load that goes on, or a new one."""
    note = settings.data_dir / "demo-password"
    return note.read_text() if note.exists() and not empty else secrets.token_urlsafe(9)


def _ensure_room(settings: Settings, scale: Scale) -> None:
    """Gigabytes are not for the folder of the program, nor a nation for SQLite."""
    if not settings.on_sqlite:
        return
    if scale is Scale.nation:
        raise typer.BadParameter("a nation is for PostgreSQL (HOISO_DATABASE_URL)")
    file = Path(settings.database_url.removeprefix("sqlite:///")).resolve()
    if file.is_relative_to(ROOT):
        raise typer.BadParameter(
            "a province takes gigabytes: choose a file outside of the program's folder"
            " (HOISO_DATABASE_URL)"
        )


def _fill(settings: Settings, wish: Wish, scale: Scale, password: str) -> demo.Demo:
    signin = Signin(settings, RateLimits(settings.rate_limit_storage))
    asked = filling.Load(scale, signin.hasher.hash(password), wish.provinces)
    with _progress() as progress:
        task = progress.add_task("members", total=None)

        def report(what: str, done: int, total: int) -> None:
            progress.update(task, description=what, completed=done, total=total)

        try:
            return filling.fill(
                settings,
                asked,
                processes=wish.processes or os.cpu_count() or 1,
                prepare=install,
                progress=report,
            )
        except filling.OtherData:
            raise typer.BadParameter("the database holds other data already") from None


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )


_HOW_LONG = {
    Scale.small: "Loading a small demo: a second or two.",
    Scale.district: "Loading the demo district: about half a minute on two cores that are free.",
    Scale.province: "Loading a province of a million members: some minutes on PostgreSQL. What is"
    " interrupted goes on when the command is given again. Past meetings are not loaded.",
    Scale.nation: "Loading the nation: hours. What is interrupted goes on when the command is given"
    " again. Past meetings are not loaded.",
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
    signin = Signin(settings, RateLimits(settings.rate_limit_storage))
    with _progress() as progress:
        task = progress.add_task("members", total=None)

        def report(what: str, done: int, total: int) -> None:
            progress.update(task, description=what, completed=done, total=total)

        password_hash = signin.hasher.hash(password)
        loaded = demo.load(
            session,
            scale=scale,
            password_hash=password_hash,
            progress=report,
        )
        _load_reforms(session, progress, password_hash, done=reformed)
        held = _load_meetings(session, progress, loaded.branches) if meetings else 0
        session.commit()
    if meetings:
        console.print(f"{held:,} participations in the meetings of the last twelve months")
    return loaded


def _load_reforms(session: Session, progress: Progress, password_hash: str, *, done: bool) -> None:
    drafted = reforms.draft(session)
    session.flush()
    if not done:
        return
    task = progress.add_task("reforms of 2025", total=len(drafted))
    for each in drafted:
        reforms.carry_out(session, each, password_hash)
        session.flush()
        progress.advance(task)


def _load_meetings(session: Session, progress: Progress, branches: int) -> int:
    task = progress.add_task("meetings", total=branches)

    def held(what: str, done: int, total: int) -> None:
        progress.update(task, description=f"{what}: meetings", completed=done, total=total)

    return past.load(session, progress=held)


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
