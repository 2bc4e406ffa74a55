"""Asking before something is removed."""

from __future__ import annotations

import posix

from dockwright.cli.terminal import STDIN, out

QUESTION = "Are you sure you want to continue? [y/N] "


def agreed(warning: str) -> bool:
    """Whether the user says y."""
    out(warning + QUESTION)
    answer = b""
    while not answer.endswith(b"\n") and (byte := posix.read(STDIN, 1)):
        answer += byte
    return answer.strip().lower() == b"y"
