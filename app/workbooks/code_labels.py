"""A code and its label in one cell, as other programs write them: "01 - Kinh", "Kinh (01)"."""

import re
from typing import Final

from app.spellings import Spellings

_CODE_FIRST: Final = re.compile(
    r"[(\[]?(?P<code>[0-9]{1,3})[)\]]?\s*[-–—:.|/]?\s*(?P<label>[^\W\d].{0,80})"
)
_LABEL_FIRST: Final = re.compile(
    r"(?P<label>[^\W\d][^0-9]{0,80}?)\s*[-–—:|/(\[]\s*(?P<code>[0-9]{1,3})[)\]]?"
)


def find(spelled: Spellings, text: str) -> str | None:
    """The code of the entry; None where a code of ours says another than its label."""
    match = _CODE_FIRST.fullmatch(text) or _LABEL_FIRST.fullmatch(text)
    if match is None:
        return None
    written, label = match["code"], spelled.find(match["label"])
    coded = spelled.find(written) or spelled.find(written.zfill(2))
    return label if coded in (None, label) else None
