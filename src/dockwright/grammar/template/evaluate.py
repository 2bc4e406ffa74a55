"""Executing a template's tree."""

from __future__ import annotations

from dockwright.grammar.template import parser
from dockwright.grammar.template.functions import FUNCTIONS, LAZY
from dockwright.grammar.template.lexer import TemplateError
from dockwright.grammar.template.values import Partial, show, truth, type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any


VARIADIC = 4  # CO_VARARGS


class Fields(dict):  # type: ignore[type-arg]
    """A row of a table: what the template may ask for, by name. Values that are callable are methods.

    Attributes:
        type_name: as Go's error texts name the row.
    """

    type_name = "interface {}"


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


class Template:
    """A parsed template.

    Args:
        source: the template. functions: more functions, by name. name: how error texts name it.

    Raises:
        TemplateError: in Go's words.
    """

    def __init__(
        self, source: str, functions: Mapping[str, Callable[..., Any]] | None = None, name: str = ""
    ) -> None:
        self._functions = {**FUNCTIONS, **(functions or {})}
        self._name = name
        self._source = source
        try:
            self._tree = parser.Tree(source, {*self._functions, *LAZY})
        except TemplateError as error:
            raise TemplateError(str(error).replace("template: :", f"template: {name}:", 1)) from None

    def execute(self, value: Any) -> str:
        """The text for one value.

        Raises:
            TemplateError: in Go's words.
        """
        return "".join(_Run(self, value).nodes(self._tree.nodes, value))

    def error(self, at: int, what: str, text: str) -> TemplateError:
        """An error while executing, with its place."""
        before = self._source[:at]
        row, column = before.count("\n") + 1, at - before.rfind("\n") - 1
        return TemplateError(f'template: {self._name}:{row}:{column}: executing "{self._name}" at <{what}>: {text}')

    def function(self, name: str) -> Callable[..., Any]:
        """A function of this template."""
        return self._functions[name]


class _Run:
    """One execution: the variables, innermost last."""

    def __init__(self, template: Template, root: Any) -> None:
        self._template = template
        self._variables: list[tuple[str, Any]] = [("$", root)]

    def nodes(self, nodes: list[object], dot: Any) -> Iterator[str]:
        """The text of `nodes`; variables they declare end with them."""
        depth = len(self._variables)
        for node in nodes:
            if isinstance(node, parser.Text):
                yield node.text
            elif isinstance(node, parser.Action):
                value = self._pipeline(node.pipeline, dot)
                yield "" if node.pipeline.variables else show(value)
            elif isinstance(node, parser.Jump):
                raise _Break if node.keyword == "break" else _Continue
            elif isinstance(node, parser.Branch):
                yield from self._range(node, dot) if node.keyword == "range" else self._branch(node, dot)
        del self._variables[depth:]

    def _branch(self, node: parser.Branch, dot: Any) -> Iterator[str]:
        depth = len(self._variables)
        value = self._pipeline(node.pipeline, dot)
        if truth(value):
            yield from self.nodes(node.body, value if node.keyword == "with" else dot)
        else:
            yield from self.nodes(node.otherwise, dot)
        del self._variables[depth:]

    def _range(self, node: parser.Branch, dot: Any) -> Iterator[str]:
        names, pipeline = node.pipeline.variables, parser.Pipeline(node.pipeline.commands, [], False)
        pairs = self._pairs(self._pipeline(pipeline, dot), node)
        if not pairs:
            yield from self.nodes(node.otherwise, dot)
        depth = len(self._variables)
        for key, value in pairs:
            if names:
                self._variables += list(zip(names, (key, value) if len(names) > 1 else (value,), strict=True))
            try:
                yield from self.nodes(node.body, value)
            except _Continue:
                continue
            except _Break:
                break
            finally:
                del self._variables[depth:]

    def _pairs(self, value: Any, node: parser.Branch) -> list[tuple[Any, Any]]:
        if isinstance(value, dict):
            return sorted(value.items())
        if isinstance(value, list | tuple):
            return list(enumerate(value))
        if value is None:
            return []
        if isinstance(value, int) and not isinstance(value, bool):
            return [(number, number) for number in range(value)]
        operand = node.pipeline.commands[0][0]
        raise self._template.error(operand.at, operand.text, f"range can't iterate over {show(value)}")

    def _pipeline(self, pipeline: parser.Pipeline, dot: Any) -> Any:
        value: Any = None
        for number, command in enumerate(pipeline.commands):
            value = self._command(command, dot, [value] if number else [])
        for name in pipeline.variables:
            self._assign(name, value, pipeline.declares)
        return value

    def _assign(self, name: str, value: Any, declares: bool) -> None:
        if declares:
            self._variables.append((name, value))
            return
        for index in range(len(self._variables) - 1, -1, -1):
            if self._variables[index][0] == name:
                self._variables[index] = (name, value)
                return
        raise TemplateError(f"undefined variable: {name}")

    def _command(self, operands: list[parser.Operand], dot: Any, piped: list[Any]) -> Any:
        first, rest = operands[0], operands[1:]
        if first.kind == "function" and first.base in LAZY:
            return self._logic(str(first.base), rest, dot, piped)
        arguments = [self._operand(operand, dot, []) for operand in rest] + piped
        return self._operand(first, dot, arguments)

    def _logic(self, name: str, operands: list[parser.Operand], dot: Any, piped: list[Any]) -> Any:
        """and, or: the first argument that decides, the later ones are not looked at."""
        value: Any = None
        for operand in operands:
            value = self._operand(operand, dot, [])
            if truth(value) == (name == "or"):
                return value
        return piped[0] if piped else value

    def _operand(self, operand: parser.Operand, dot: Any, arguments: list[Any]) -> Any:
        if operand.kind == "function":
            value = self._call(self._template.function(str(operand.base)), arguments, operand)
            arguments = []
        elif operand.kind == "dot":
            value = dot
        elif operand.kind == "variable":
            value = self._variable(str(operand.base))
        elif operand.kind == "pipeline":
            value = self._pipeline(operand.base, dot)  # type: ignore[arg-type]
        else:
            value = operand.base
        for number, name in enumerate(operand.fields):
            last = number == len(operand.fields) - 1
            if last and isinstance(value, Partial) and name not in value and name in value.fields:
                return value.fields[name]
            value = self._field(value, name, arguments if last else [], operand)
        if arguments and not operand.fields:
            raise self._template.error(operand.at, operand.text, f"can't give argument to non-function {operand.text}")
        return value

    def _call(self, function: Callable[..., Any], arguments: list[Any], operand: parser.Operand) -> Any:
        try:
            return function(*arguments)
        except TypeError:
            text = f"wrong number of args for {operand.text}: want {wanted(function)} got {len(arguments)}"
            raise self._template.error(operand.at, operand.text, text) from None
        except (ValueError, AttributeError) as error:
            text = f"error calling {operand.text}: {error}"
            raise self._template.error(operand.at, operand.command, text) from None

    def _variable(self, name: str) -> Any:
        for known, value in reversed(self._variables):
            if known == name:
                return value
        raise TemplateError(f"template: {self._template._name}:1: undefined variable {name!r}".replace("'", '"'))

    def _field(self, value: Any, name: str, arguments: list[Any], operand: parser.Operand) -> Any:
        if isinstance(value, dict):
            if name in value:
                found = value[name]
                return self._call(found, arguments, operand) if callable(found) else found
            if not isinstance(value, Fields):
                raise self._template.error(operand.at, operand.text, f'map has no entry for key "{name}"')
        elif value is None:
            text = f"nil data; no entry for key {name!r}".replace("'", '"')
            raise self._template.error(operand.at, operand.text, text)
        text = f"can't evaluate field {name} in type {type_name(value)}"
        raise self._template.error(operand.at, operand.text, text)


def wanted(function: Callable[..., Any]) -> str:
    """How many arguments a function takes, as Go's error text says it."""
    code = function.__code__
    return f"at least {code.co_argcount}" if code.co_flags & VARIADIC else str(code.co_argcount)
