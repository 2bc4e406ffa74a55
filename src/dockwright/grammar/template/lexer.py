"""A template's text and actions, and the tokens inside an action."""

from __future__ import annotations

SPACE = " \t\r\n"
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}
WIDTHS = {"x": 2, "u": 4, "U": 8}


class TemplateError(ValueError):
    """A template that cannot be parsed or executed; the text is Go's."""


class Token:
    """One token.

    Attributes:
        kind: "field", "variable", "word", "string", "number", or the punctuation itself: ( ) | := = , .
        text: as written. value: of a string or number. at: offset in the template. spaced: whether space came before it.
    """

    __slots__ = ("at", "kind", "spaced", "text", "value")

    def __init__(self, kind: str, text: str, at: int, spaced: bool, value: str | int | float = "") -> None:
        self.kind, self.text, self.at, self.spaced, self.value = kind, text, at, spaced, value


def pieces(source: str) -> list[tuple[bool, str, int]]:
    """The template cut into (is an action, text, offset); trim markers and comments are done with.

    Raises:
        TemplateError: an action that does not end.
    """
    found: list[tuple[bool, str, int]] = []
    at, trim = 0, False
    while True:
        start = source.find("{{", at)
        text = source[at:] if start < 0 else source[at:start]
        text = text.lstrip(SPACE) if trim else text
        if start < 0:
            found.append((False, text, at))
            return found
        start += 2
        if source[start : start + 1] == "-" and source[start + 1 : start + 2] in tuple(SPACE):
            text, start = text.rstrip(SPACE), start + 1
        found.append((False, text, at))
        end = _end(source, start)
        inside, at = source[start:end], end + 2
        trim = inside.endswith("-") and inside[-2:-1] in tuple(SPACE)
        inside = inside[:-1] if trim else inside
        if not inside.strip(SPACE).startswith("/*"):
            found.append((True, inside, start))


def _end(source: str, start: int) -> int:
    """Where the action ends: the first }} outside quotes."""
    at = start
    while at < len(source):
        if source.startswith("}}", at):
            return at
        if source[at] in "\"'`":
            at = _quoted(source, at)
            continue
        at += 1
    raise TemplateError(f"template: :{line(source, start)}: unclosed action")


def _quoted(source: str, at: int) -> int:
    """The offset behind the quoted text that begins at `at`."""
    quote, end = source[at], at + 1
    while end < len(source) and source[end] != quote:
        end += 2 if source[end] == "\\" and quote != "`" else 1
    if end >= len(source):
        kind = {'"': "quoted string", "`": "raw quoted string", "'": "character constant"}[quote]
        raise TemplateError(f"template: :{line(source, at)}: unterminated {kind}")
    return end + 1


def line(source: str, at: int) -> int:
    """The line number, from 1, of an offset."""
    return source.count("\n", 0, at) + 1


def tokens(text: str, base: int) -> list[Token]:
    """The tokens of one action.

    Raises:
        TemplateError: a character that belongs to none.
    """
    found: list[Token] = []
    at = 0
    while at < len(text):
        spaced = at == 0
        while at < len(text) and text[at] in SPACE:
            at, spaced = at + 1, True
        if at >= len(text):
            break
        kind, end = _token(text, at, base)
        value: str | int | float = ""
        if kind == "string":
            value = unquote(text[at:end])
        elif kind == "number":
            value = _number(text[at:end])
        found.append(Token(kind, text[at:end], base + at, spaced, value))
        at = end
    return found


def _token(text: str, at: int, base: int) -> tuple[str, int]:
    letter, following = text[at], text[at + 1 : at + 2]
    if letter in "\"`'":
        return "string", _quoted(text, at)
    if text.startswith(":=", at):
        return ":=", at + 2
    if letter in "()|,=":
        return letter, at + 1
    if letter == "." and not following.isdigit():
        return _run("field", text, at) if _part_of_word(following) else (".", at + 1)
    if letter == "$":
        return _run("variable", text, at)
    if letter.isdigit() or (letter in "+-." and following.isdigit()):
        return _run("number", text, at, ".+-")
    if _part_of_word(letter):
        return _run("word", text, at)
    raise TemplateError(f"template: :1: unexpected {letter!r} in action")


def _run(kind: str, text: str, at: int, more: str = "") -> tuple[str, int]:
    end = at + 1
    while end < len(text) and (_part_of_word(text[end]) or text[end] in more):
        end += 1
    return kind, end


def _part_of_word(letter: str) -> bool:
    return letter == "_" or letter.isalnum()


def _number(text: str) -> int | float:
    try:
        return int(text, 0)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            raise TemplateError(f"template: :1: bad number syntax: {text!r}") from None


def unquote(text: str) -> str:
    """A Go string literal's value; of a character constant its text."""
    inside = text[1:-1]
    if text[0] == "`" or "\\" not in inside:
        return inside
    result, at = "", 0
    while at < len(inside):
        letter = inside[at]
        at += 1
        if letter != "\\":
            result += letter
            continue
        letter = inside[at]
        width = WIDTHS.get(letter, 0)
        result += chr(int(inside[at + 1 : at + 1 + width], 16)) if width else ESCAPES.get(letter, letter)
        at += 1 + width
    return result
