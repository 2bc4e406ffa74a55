"""A template's tree.

Nodes are small objects: Text, Action, Branch (if, with), Range; expressions are Pipeline, Command, and operands.
"""

from __future__ import annotations

from dockwright.grammar.template.lexer import TemplateError, Token, line, pieces, tokens

CONSTANTS = {"true": True, "false": False, "nil": None}


class Text:
    """Literal text."""

    def __init__(self, text: str) -> None:
        self.text = text


class Operand:
    """What a command begins with or takes: something to start from, then field names.

    Attributes:
        kind: "dot", "variable", "constant", "function", "pipeline". base: name, value or Pipeline by kind.
        fields: names after dots. text, at: as written, for error texts; command: of the first one the whole command.
    """

    def __init__(self, kind: str, base: object, fields: list[str], text: str, at: int) -> None:
        self.kind, self.base, self.fields, self.text, self.at = kind, base, fields, text, at
        self.command = text


class Pipeline:
    """Commands, each fed to the next; the result may be put into variables (`declares`: also new ones)."""

    def __init__(self, commands: list[list[Operand]], variables: list[str], declares: bool) -> None:
        self.commands, self.variables, self.declares = commands, variables, declares


class Action:
    """A pipeline whose value is printed, unless it goes into a variable."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline


class Branch:
    """if, with, range: a body and what else.  `keyword` says which."""

    def __init__(self, keyword: str, pipeline: Pipeline, body: list[object], otherwise: list[object]) -> None:
        self.keyword, self.pipeline, self.body, self.otherwise = keyword, pipeline, body, otherwise


class Jump:
    """break or continue."""

    def __init__(self, keyword: str) -> None:
        self.keyword = keyword


class Tree:
    """Parses one template.

    Args:
        source: the template. functions: names that may be called.

    Raises:
        TemplateError: in Go's words.
    """

    def __init__(self, source: str, functions: set[str]) -> None:
        self.source = source
        self._functions = functions
        self._pieces = pieces(source)
        self._next = 0
        self.nodes, ended = self._list()
        if ended:
            raise TemplateError(f"template: :1: unexpected {{{{{ended[0].text}}}}}")

    def _list(self) -> tuple[list[object], list[Token]]:
        """Nodes up to an end or else; that action's tokens, none at the end of the template."""
        nodes: list[object] = []
        while self._next < len(self._pieces):
            action, text, at = self._pieces[self._next]
            self._next += 1
            if not action:
                nodes.append(Text(text))
                continue
            words = tokens(text, at)
            if not words:
                raise self._error(at, "missing value for command")
            first = words[0].text
            if first in ("end", "else"):
                return nodes, words
            nodes.append(self._action(first, words, at))
        return nodes, []

    def _action(self, first: str, words: list[Token], at: int) -> object:
        if first in ("if", "with", "range"):
            return self._branch(first, words[1:], at)
        if first in ("break", "continue") and len(words) == 1:
            return Jump(first)
        if first in ("define", "template", "block"):
            raise self._error(at, f"{first} is not supported")
        return Action(self._pipeline(words, at, False))

    def _branch(self, keyword: str, words: list[Token], at: int) -> Branch:
        pipeline = self._pipeline(words, at, keyword == "range", keyword)
        body, ended = self._list()
        otherwise: list[object] = []
        if ended and ended[0].text == "else":
            if len(ended) > 1:
                return Branch(keyword, pipeline, body, [self._branch(ended[1].text, ended[2:], at)])
            otherwise, ended = self._list()
        if not ended:
            raise self._error(len(self.source), "unexpected EOF")
        return Branch(keyword, pipeline, body, otherwise)

    def _pipeline(self, words: list[Token], at: int, two: bool, context: str = "command") -> Pipeline:
        variables, declares, words = self._variables(words, two)
        commands = []
        for part in _split(words):
            if not part:
                raise self._error(at, f"missing value for {context}")
            commands.append(self._command(part))
        return Pipeline(commands, variables, declares)

    def _variables(self, words: list[Token], two: bool) -> tuple[list[str], bool, list[Token]]:
        for count in (1, 3) if two else (1,):
            head = words[: count + 1]
            if len(head) == count + 1 and head[-1].kind in (":=", "=") and head[0].kind == "variable":
                names = [word.text for word in head if word.kind == "variable"]
                return names, head[-1].kind == ":=", words[count + 1 :]
        return [], False, words

    def _command(self, words: list[Token]) -> list[Operand]:
        operands, at = [], 0
        while at < len(words):
            operand, at = self._operand(words, at)
            operands.append(operand)
        operands[0].command = " ".join(operand.text for operand in operands)
        return operands

    def _operand(self, words: list[Token], at: int) -> tuple[Operand, int]:
        start, word = at, words[at]
        fields: list[str] = []
        kind, base, at = self._start(words, at)
        if word.kind == "field":
            fields.append(word.text[1:])
        while at < len(words) and words[at].kind == "field" and not words[at].spaced:
            fields.append(words[at].text[1:])
            at += 1
        text = "".join((" " if part.spaced and number else "") + part.text for number, part in enumerate(words[start:at]))
        return Operand(kind, base, fields, text, words[at - 1].at if fields and len(fields) > 1 else word.at), at

    def _start(self, words: list[Token], at: int) -> tuple[str, object, int]:
        """The kind and base of the operand at `at`, and the offset after it."""
        word = words[at]
        if word.kind in ("field", "."):
            return "dot", None, at + 1
        if word.kind == "variable":
            return "variable", word.text, at + 1
        if word.kind in ("string", "number"):
            return "constant", word.value, at + 1
        if word.kind == "(":
            end = _closing(words, at)
            if end < 0:
                raise self._error(word.at, "unclosed left paren")
            return "pipeline", self._pipeline(words[at + 1 : end], word.at, False, "parenthesized pipeline"), end + 1
        if word.kind != "word":
            raise self._error(word.at, f"unexpected <{word.text}> in operand")
        if word.text in CONSTANTS:
            return "constant", CONSTANTS[word.text], at + 1
        if word.text not in self._functions:
            raise self._error(word.at, f'function "{word.text}" not defined')
        return "function", word.text, at + 1

    def _error(self, at: int, text: str) -> TemplateError:
        return TemplateError(f"template: :{line(self.source, at)}: {text}")


def _split(words: list[Token]) -> list[list[Token]]:
    """The commands of a pipeline: parted by | outside parentheses."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for word in words:
        depth += (word.kind == "(") - (word.kind == ")")
        if word.kind == "|" and depth == 0:
            parts.append([])
        else:
            parts[-1].append(word)
    return parts


def _closing(words: list[Token], at: int) -> int:
    depth = 0
    for index in range(at, len(words)):
        depth += (words[index].kind == "(") - (words[index].kind == ")")
        if depth == 0:
            return index
    return -1
