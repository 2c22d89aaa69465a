"""How an answer is saved as a file."""

from urllib.parse import quote


def attachment(name: str) -> dict[str, str]:
    """The header that saves an answer under this name (RFC 6266), in letters that any client reads
    and as it is (RFC 8187). What does not print, such as the end of a line, is left out."""
    shown = "".join(character for character in name if character.isprintable())
    plain = "".join(c for c in shown if c.isascii() and c not in '"\\%').strip(" .") or "file"
    disposition = f'attachment; filename="{plain}"'
    if plain != shown:
        disposition += f"; filename*=UTF-8''{quote(shown, safe='')}"
    return {"Content-Disposition": disposition}
