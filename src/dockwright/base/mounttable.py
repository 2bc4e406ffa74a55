"""Paths as the kernel writes them in mount tables (proc(5), /proc/pid/mountinfo)."""

_ESCAPES = (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\"))


def plain(text: str) -> str:
    """A path without its octal escapes."""
    for escape, character in _ESCAPES:
        text = text.replace(escape, character)
    return text
