"""A person's copy of her data: as JSON for programs, as a page for her."""

from collections.abc import Mapping
from html import escape
from typing import Annotated, Any

from fastapi import Query, Request, Response
from sqlalchemy.engine import Connection

from app.api.http.context import request_context
from app.api.http.deps import ActorDep
from app.api.http.ids import MemberPath
from app.api.http.noting import will_show
from app.api.http.routing import Router
from app.models.kernel.access_log import ReadHow
from app.models.privacy.copy import (
    PersonalData,
    PersonalDataFormat,
    PersonalDataQuery,
    Section,
)
from app.problem_texts import Language
from app.services.members.own import herself, own_id
from app.services.privacy import copy, rules

router = Router(prefix="/v1/members", tags=["privacy"])
own = Router(prefix="/v1/me", tags=["own record"])

_HTML = "text/html"
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The copy; asked for with `format=html` or by `Accept: text/html`, a page"
        " to be read and printed.",
        "content": {_HTML: {"schema": {"type": "string"}}},
    }
}
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
}
_WORDS: dict[Language, Mapping[str, str]] = {
    "vi": {
        "title": "Bản sao dữ liệu cá nhân",
        "made": "Lập lúc",
        "purposes": "Dữ liệu được dùng để làm gì",
        "yes": "có",
        "no": "không",
    },
    "en": {
        "title": "Copy of personal data",
        "made": "Made at",
        "purposes": "What the data is used for",
        "yes": "yes",
        "no": "no",
    },
}
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "h2{margin-top:2rem;border-bottom:1px solid #ccc}"
    "table{border-collapse:collapse;margin:.5rem 0 1.5rem;width:100%}"
    "th{text-align:left;font-weight:normal;color:#555;width:16rem;vertical-align:top}"
    "td,th{padding:.2rem .5rem;border-bottom:1px solid #eee;overflow-wrap:anywhere}"
)


@router.get("/{member_id}/personal-data", response_model=PersonalData, responses=_RESPONSES)
def get_personal_data(
    db: Connection,
    actor: ActorDep,
    request: Request,
    member_id: MemberPath,
    query: Annotated[PersonalDataQuery, Query()],
) -> Response:
    """All that is held about her, from every table, to be handed to her.

    Needs `privacy:manage` and the rights to all sensitive fields; it is noted in her access log.
    """
    found = copy.collect(db, actor, member_id)
    return _answer(request, query, found)


@own.get("/personal-data", response_model=PersonalData, responses=_RESPONSES)
def get_own_personal_data(
    db: Connection, actor: ActorDep, request: Request, query: Annotated[PersonalDataQuery, Query()]
) -> Response:
    """All that is held about me, from every table: who wrote it, who read it, what it was before."""
    return _answer(request, query, copy.collect(db, herself(actor), own_id(actor)))


def _answer(request: Request, query: PersonalDataQuery, found: PersonalData) -> Response:
    will_show(PersonalData, [found], ReadHow.export)
    asked = query.format
    if asked is None:
        accepts = _HTML in request.headers.get("accept", "").lower()
        asked = PersonalDataFormat.html if accepts else PersonalDataFormat.json
    if asked is PersonalDataFormat.html:
        page = _page(found, request_context.get().language)
        return Response(page, 200, _HEADERS, f"{_HTML}; charset=utf-8")
    headers = {"Cache-Control": "no-store"}
    return Response(found.model_dump_json(), 200, headers, "application/json")


# -- the page


def _page(found: PersonalData, language: Language) -> str:
    words = _WORDS[language]
    names: dict[Any, str] = {unit.id: unit.name for unit in found.units}
    names |= {str(account.id): account.name for account in found.accounts}
    purposes = "".join(
        f"<li>{escape(purpose.vi if language == 'vi' else purpose.en)}: "
        f"{escape(purpose.description_vi if language == 'vi' else purpose.description_en)}</li>"
        for purpose in found.purposes
    )
    sections = "".join(_table(section, language, names) for section in found.sections)
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{words["title"]}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{words['title']}</h1>"
        f"<p>{words['made']}: {found.made_at.isoformat()}</p>{sections}"
        f"<h2>{words['purposes']}</h2><ul>{purposes}</ul></body></html>"
    )


def _table(section: Section, language: Language, names: Mapping[Any, str]) -> str:
    title = escape(section.vi if language == "vi" else section.en)
    rows = "".join(
        "<table>"
        + "".join(
            f"<tr><th>{escape(rules.label(name, language))}</th>"
            f"<td>{_shown(name, value, language, names)}</td></tr>"
            for name, value in row.items()
            if value is not None and name != "revision"
        )
        + "</table>"
        for row in section.rows
    )
    return f"<h2>{title}</h2>{rows}"


def _shown(name: str, value: Any, language: Language, names: Mapping[Any, str]) -> str:
    """A value as text: an id of a unit or an account with its name."""
    if isinstance(value, bool):
        return _WORDS[language]["yes" if value else "no"]
    if isinstance(value, Mapping):
        pairs = (
            f"{escape(rules.label(str(key), language))}: {_shown(str(key), each, language, names)}"
            for key, each in value.items()
            if each is not None
        )
        return "<br>".join(pairs)
    named = name.endswith(("_id", "_by", "_to")) and names.get(value)
    return escape(f"{named}" if named else f"{value}")
