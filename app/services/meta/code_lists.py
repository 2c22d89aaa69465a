"""Code lists on a day, with the editions before ours."""

from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache
from typing import Any, Final

from app.data_files import DATA, load
from app.models.kernel.code_lists import CODE_LISTS, Code, CodeList, CodeLists
from app.models.meta.crosswalks import EarlierEdition

_EARLIER: Final = DATA / "code_lists" / "earlier"


@cache
def earlier_editions() -> tuple[EarlierEdition, ...]:
    """The editions before ours, the oldest first."""
    read = [EarlierEdition.model_validate(load(path)) for path in sorted(_EARLIER.glob("*.yaml"))]
    return tuple(sorted(read, key=lambda edition: edition.valid_from))


def lists_on(day: date | None) -> CodeLists:
    """Of each list the edition in use here; of a day that which was the newest then."""
    if day is None:
        return CodeLists(items=[*CODE_LISTS.values()])
    found = (_edition_on(listed, day) for listed in CODE_LISTS.values())
    return CodeLists(items=[listed for listed in found if listed is not None])


def _edition_on(listed: CodeList, day: date) -> CodeList | None:
    if listed.valid_from is None or listed.valid_from <= day:
        return listed
    known = [e for e in earlier_editions() if e.of == listed.name and e.valid_from <= day]
    return _as_list(known[-1]) if known else None


def _as_list(edition: EarlierEdition) -> CodeList:
    names = ((item.code, item.name) for item in edition.items)
    return CodeList(
        name=edition.of,
        version=edition.version,
        source=edition.source,
        valid_from=edition.valid_from,
        valid_to=edition.valid_to,
        before=[],
        items=[Code(code=code, vi=name, en=name, aliases=[]) for code, name in names],
    )


def rows_of(lists: CodeLists) -> Iterator[Mapping[str, Any]]:
    """A row for each code, as CodeRow."""
    for listed in lists.items:
        edition = {
            "list_name": listed.name,
            "version": listed.version,
            "valid_from": listed.valid_from,
            "valid_to": listed.valid_to,
            "source": listed.source,
        }
        for item in listed.items:
            yield {**edition, "code": item.code, "vi": item.vi, "en": item.en}
