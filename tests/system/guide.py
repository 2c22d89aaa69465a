"""What the operator's guide tells people to copy, as it is written there."""

import re

from tests.conftest import ROOT

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def block(language: str, first_words: str) -> str:
    """The one block of the guide in this language that begins with these words."""
    text = (ROOT / "docs/guides/operator.md").read_text("utf-8")
    found = [body for kind, body in _BLOCK.findall(text) if kind == language]
    (one,) = (body for body in found if body.startswith(first_words))
    return str(one)
