"""The strict look at a request's head before h11 reads it.

h11 forgives bare line feeds and folded lines; a second HTTP parser on the way (an authorisation proxy) may not, and
what the two disagree about is how requests are smuggled. So: CRLF only, no folding, no NUL, one length.
Sources: RFC 9112 sections 2.2, 5.2, 6.1 and 6.3.
"""

import re

HEAD_LIMIT = 128 * 1024
FIELD_LIMIT = 200

_BARE = re.compile(rb"(?<!\r)\n|\r(?!\n)|\0")
_FRAMING = re.compile(rb"(?im)^(content-length|transfer-encoding)[ \t]*:[ \t]*(.*?)[ \t]*\r?$")


class HeadError(Exception):
    """A head block that is refused; the connection closes after the answer.

    Args:
        status: HTTP status of the answer.
        reason: what is wrong.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def check_unfinished(data: bytes | bytearray) -> None:
    """Refuse what can never become a valid head: too much of it, or a line end that is none.

    Raises:
        HeadError: 431 or 400.
    """
    if len(data) > HEAD_LIMIT:
        raise HeadError(431, "Request Header Fields Too Large")
    if _BARE.search(data, 0, len(data) - 1):
        raise HeadError(400, "malformed line ending or NUL in the request head")


def check(block: bytes) -> None:
    """Check a whole head block, without the empty line that ends it.

    Raises:
        HeadError: 431 for too many or too long fields, 400 for everything else.
    """
    if len(block) > HEAD_LIMIT or block.count(b"\n") > FIELD_LIMIT:
        raise HeadError(431, "Request Header Fields Too Large")
    if _BARE.search(block):
        raise HeadError(400, "malformed line ending or NUL in the request head")
    if b"\n " in block or b"\n\t" in block:
        raise HeadError(400, "folded header line")
    _check_framing(_FRAMING.findall(block))


def _check_framing(fields: list[tuple[bytes, bytes]]) -> None:
    """One way to know where the body ends, and only one."""
    if len(fields) > 1:
        raise HeadError(400, "more than one Content-Length or Transfer-Encoding")
    if not fields:
        return
    name, value = fields[0]
    if name.lower() == b"content-length":
        if not value.isdigit() or len(value) > 18:
            raise HeadError(400, "bad Content-Length")
    elif value.lower() != b"chunked":
        raise HeadError(501, f"Unsupported transfer encoding: {value.decode('latin-1')[:40]}")
