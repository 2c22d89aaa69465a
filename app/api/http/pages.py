"""Pages for people: HTML without scripts, with a style of ours and nothing else allowed in it."""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import sha256
from html import escape
from zlib import crc32

from fastapi import Request
from fastapi.responses import HTMLResponse

from app.api.http.conditional import matches
from app.clock import VIETNAM

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "img{max-width:100%}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{border:1px solid #999;padding:.4rem .5rem;text-align:left;overflow-wrap:anywhere}"
    "tr{break-inside:avoid}thead{display:table-header-group}"
    ".sign{width:40%}.number{width:3rem}.code{float:right;width:9rem}.key{width:6rem}"
    ".warning{font-weight:bold;color:#a00}"
    "@media print{body{margin:0;max-width:none}}"
)
_POLICY = (
    "default-src 'none'; "
    f"style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'; "
    "img-src https: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


_WEEKDAYS = ("Thứ Hai", "Thứ Ba", "Thứ Tư", "Thứ Năm", "Thứ Sáu", "Thứ Bảy", "Chủ nhật")


def page(
    request: Request,
    title: str,
    body: Iterable[str],
    *,
    status: int = 200,
    meta: Mapping[str, str] | None = None,
    cache: str = "no-store",
) -> HTMLResponse:
    """A page in Vietnamese. `body` is HTML, of which the caller has escaped every value; `meta` and
    the title are escaped here. 304 when the client has it already."""
    named = (meta or {}).items()
    tags = "".join(f'<meta property="{escape(n)}" content="{escape(v)}">' for n, v in named)
    html = (
        '<!doctype html><html lang="vi"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title>{tags}<style>{_STYLE}</style></head>"
        f"<body>{''.join(body)}</body></html>"
    )
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": cache}
    if status == 200 and cache != "no-store":
        tag = f'"{crc32(html.encode()):08x}"'
        headers["ETag"] = tag
        if matches(request, tag):
            return HTMLResponse(None, 304, headers)
    return HTMLResponse(html, status, headers)


def text_of(tag: str, text: str | None, css: str = "") -> str:
    """An element with this text; nothing for no text."""
    if not text:
        return ""
    attribute = f' class="{escape(css)}"' if css else ""
    return f"<{tag}{attribute}>{escape(text)}</{tag}>"


def when(starts_at: datetime, ends_at: datetime) -> str:
    """In the time of Vietnam: `19:30–21:00, Thứ Bảy 21/11/2026`."""
    begins, ends = starts_at.astimezone(VIETNAM), ends_at.astimezone(VIETNAM)
    day = f"{_WEEKDAYS[begins.weekday()]} {begins:%d/%m/%Y}"
    if begins.date() == ends.date():
        return f"{begins:%H:%M}–{ends:%H:%M}, {day}"
    return f"{begins:%H:%M} {day} – {ends:%H:%M %d/%m/%Y}"
