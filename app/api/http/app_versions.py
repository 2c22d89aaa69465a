"""`X-App-Version: android/1.4.2`: an app that is too old gets 426 from routes that say so.

They are those that would give it records to keep. Routes that take what it has recorded never ask.
"""

import re
from typing import Final

from fastapi import Request

from app.api.http.server import server_of
from app.errors import invalid
from app.models.identity.devices import VERSION_PATTERN, Platform
from app.services.identity.app_versions import app_versions

HEADER: Final = "X-App-Version"
_LONGEST = 60
_VALUE = re.compile(rf"([a-z]{{1,19}})/({VERSION_PATTERN})")


def ensure_served(request: Request) -> None:
    """426 for a version that is no longer served, 422 for a header that names none; a client without
    the header is no app."""
    given = request.headers.get(HEADER)
    if given is None:
        return
    named = _VALUE.fullmatch(given) if len(given) <= _LONGEST else None
    if named is None:
        raise invalid("wrong_format", f"/{HEADER.lower()}", place="header")
    platforms = [each.value for each in Platform]
    if named[1] not in platforms:
        raise invalid("not_in_list", f"/{HEADER.lower()}", place="header", allowed=platforms)
    table = app_versions(server_of(request).settings.app_versions_file)
    table.ensure_served(Platform(named[1]), named[2])
