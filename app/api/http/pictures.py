"""QR codes as pictures."""

from base64 import b64encode
from io import BytesIO
from typing import Any, Literal


def qr_code(text: str, kind: Literal["png", "svg"]) -> bytes:
    """The QR code (ISO/IEC 18004, error correction M), large enough to print or to hold up."""
    import segno

    out = BytesIO()
    code = segno.make_qr(text, error="m")
    options: dict[str, Any] = {"scale": 8, "border": 4}
    if kind == "svg":
        options |= {"xmldecl": False, "svgns": True, "omitsize": True}
    code.save(out, kind=kind, **options)
    return out.getvalue()


def qr_image(text: str, alternative: str, css: str) -> str:
    """As an element of a page; `alternative` and `css` are ours, and need no escape."""
    drawn = b64encode(qr_code(text, "svg")).decode()
    return f'<img class="{css}" alt="{alternative}" src="data:image/svg+xml;base64,{drawn}">'
