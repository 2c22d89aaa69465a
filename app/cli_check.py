"""`hoiso check`: what is stored, compared with what it was made of, or names."""

from contextlib import closing
from typing import Annotated

import typer

from app.config import get_settings
from app.db import Database
from app.services.figures import recounting
from app.services.files import checking

check = typer.Typer(help="Compare what is stored with what it was made of.", no_args_is_help=True)


@check.command("figures")
def check_figures(
    repair: Annotated[bool, typer.Option(help="Drop what is wrong; it is counted anew.")] = False,
) -> None:
    """Recount the roll-ups of figures; ends with 1 when one is wrong and not repaired."""
    with closing(Database(get_settings())) as database:
        wrong = recounting.check(database, repair=repair)
    for each in wrong:
        typer.echo(f"wrong: {each.rows} of unit {each.unit_id} on {each.day}")
    dropped = f"{len(wrong)} dropped" if repair else f"{len(wrong)} wrong"
    typer.echo(f"recounted all roll-ups: {dropped}")
    if wrong and not repair:
        raise typer.Exit(1)


@check.command("files")
def check_files() -> None:
    """Look for all files in their store; ends with 1 when the bytes of one are not there."""
    with closing(Database(get_settings())) as database:
        found = checking.check(database)
    for each in found.lost:
        typer.echo(f"lost: {each}")
    typer.echo(
        f"looked for all files: {len(found.lost)} lost; {found.unnamed} objects that no file names"
    )
    if found.lost:
        raise typer.Exit(1)
