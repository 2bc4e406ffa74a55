"""Identifiers: 64 hex characters, of which users mostly type the first 12."""

import os

SHORT = 12


def new_id() -> str:
    """A fresh 64-hex id whose short form is never all digits.

    An all-digit short id could be mistaken for a number (a hostname, a pid), so Docker re-rolls those.
    """
    while True:
        ident = os.urandom(32).hex()
        if not ident[:SHORT].isdigit():
            return ident


def short(ident: str) -> str:
    """The first 12 characters of an id, without an algorithm prefix such as `sha256:`."""
    return ident.partition(":")[2][:SHORT] if ":" in ident else ident[:SHORT]
