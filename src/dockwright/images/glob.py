"""Go's path.Match, which Docker's reference filter uses: `*` and `?` do not cross a slash."""

import re
from functools import lru_cache


@lru_cache(64)
def _compiled(pattern: str) -> re.Pattern[str]:
    out, at = [], 0
    while at < len(pattern):
        char, at = pattern[at], at + 1
        if char == "*":
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "\\":
            if at == len(pattern):
                raise ValueError(pattern)
            out.append(re.escape(pattern[at]))
            at += 1
        elif char == "[":
            text, at = _class(pattern, at)
            out.append(text)
        else:
            out.append(re.escape(char))
    return re.compile("".join(out), re.DOTALL)


def _class(pattern: str, at: int) -> tuple[str, int]:
    """A character class that begins at `at`, as a regular expression, and where it ends."""
    negated = pattern[at : at + 1] == "^"
    end = pattern.find("]", at + negated + 1)
    if end < 0:
        raise ValueError(pattern)
    inside = pattern[at + negated : end].replace("\\", "").replace("[", "\\[").replace("^", "\\^")
    return f"(?!/)[{'^' if negated else ''}{inside}]", end + 1


def matches(pattern: str, text: str) -> bool:
    """Whether all of `text` fits `pattern`.

    Raises:
        ValueError: the pattern cannot be read.
    """
    try:
        return _compiled(pattern).fullmatch(text) is not None
    except re.error as error:
        raise ValueError(pattern) from error
