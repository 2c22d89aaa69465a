"""Parts of a workbook named with backslashes, as some programs write them: set right in place."""

import struct
from zipfile import BadZipFile, ZipFile

from app.workbooks.guards import Source, opened

# Where the lengths stand in the head of a part, and its name behind it (APPNOTE 4.3.7, 4.3.12).
_LOCAL, _LOCAL_NAME = 26, 30
_CENTRAL, _CENTRAL_NAME = 28, 46


def straight(source: Source) -> Source:
    """The same file with slashes in the names of its parts; what is no such archive as it is."""
    try:
        with opened(source) as file, ZipFile(file) as book:
            parts, directory = book.infolist(), book.start_dir
    except (BadZipFile, OSError, ValueError, NotImplementedError):
        return source
    if not any("\\" in part.filename for part in parts):
        return source
    with opened(source) as file:
        content = bytearray(file.read())
    try:
        for part in parts:
            _rename(content, part.header_offset + _LOCAL_NAME, part.header_offset + _LOCAL)
            lengths = struct.unpack_from("<HHH", content, directory + _CENTRAL)
            _rename(content, directory + _CENTRAL_NAME, directory + _CENTRAL)
            directory += _CENTRAL_NAME + sum(lengths)
    except struct.error:
        return source
    return bytes(content)


def _rename(content: bytearray, name: int, length: int) -> None:
    [size] = struct.unpack_from("<H", content, length)
    content[name : name + size] = content[name : name + size].replace(b"\\", b"/")
