"""Refusals of `run` and `create` that are made here, before the daemon is asked."""

from __future__ import annotations


class InvalidOptions(Exception):
    """Options that cannot be; `run` and `create` add their names and the hint to help.

    Args:
        text: docker's.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def invalid(text: str) -> InvalidOptions:
    """The error with docker's text."""
    return InvalidOptions(text)
