"""The lists of problem codes in the guides, made from app/data/problems.

`python -m docs.problem_codes` writes them between their markers; a test holds them to the files.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from app import errors, problem_texts

GUIDES: Final = Path(__file__).parent / "guides"
GUIDE: Final = GUIDES / "integrator.md"
_PLACEHOLDER: Final = re.compile(r"(?<!\{)\{([a-z_]+)(?::\w+)?\}(?!\})")


def lists() -> dict[str, str]:
    """The generated part of the guide, by the name of its markers."""
    texts = problem_texts.together(sorted(errors.FOLDER.glob("*.yaml")))
    problems = sorted(texts.problems.items(), key=lambda item: (item[1].status, item[0]))
    fields = sorted(texts.fields.items())
    return {
        "problems": _table(
            ("code", "status", "meaning"),
            ((f"`{code}`", str(text.status), _plain(text.detail["en"])) for code, text in problems),
        ),
        "fields": _table(
            ("code", "meaning"),
            (
                (
                    f"`{code}`",
                    _plain(" ".join([text.detail["en"], (text.hint or {"en": ""})["en"]])),
                )
                for code, text in fields
            ),
        ),
    }


def written(guide: str) -> str:
    """The guide with its lists as they are now."""
    for name, table in lists().items():
        begin, end = (f"<!-- {name} of app/data/problems: {at} -->" for at in ("begin", "end"))
        before, _, rest = guide.partition(begin)
        _, _, after = rest.partition(end)
        guide = f"{before}{begin}\n{table}\n{end}{after}"
    return guide


def _plain(text: str) -> str:
    named = _PLACEHOLDER.sub(r"`\1`", text.strip())
    return named.replace("{{", "{").replace("}}", "}").replace("|", "\\|")


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    GUIDE.write_text(written(GUIDE.read_text("utf-8")), "utf-8")
