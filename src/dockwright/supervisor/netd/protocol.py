"""How daemon and netd speak: a version, and frames of four bytes of length and a marshal'ed dict."""

from __future__ import annotations

import marshal

VERSION = 3


def frame(message: dict) -> bytes:  # type: ignore[type-arg]
    """`message` as it travels."""
    body = marshal.dumps(message)
    return len(body).to_bytes(4, "big") + body
