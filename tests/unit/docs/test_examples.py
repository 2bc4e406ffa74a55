"""How examples are read from a page."""

import importlib.util
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
spec = importlib.util.spec_from_file_location("examples", ROOT / "tests/docs/examples.py")
assert spec and spec.loader
examples = importlib.util.module_from_spec(spec)
spec.loader.exec_module(examples)


def only(text: str):  # type: ignore[no-untyped-def]
    (example,) = examples._block("page", 1, text)
    return example


def test_commands_and_their_output() -> None:
    first, second = examples._block("page", 7, "$ a \\\n    b\n$ c\nout\n")
    assert (first.command, first.output, first.line) == ("a b", [], 7)
    assert (second.command, second.output) == ("c", ["out"])


def test_dots_in_a_line_stand_for_anything_on_it() -> None:
    pattern = only("$ c\na ... b\n").pattern()
    assert re.fullmatch(pattern, "a 1.2 b\n") and re.fullmatch(pattern, "a  b  \n")
    assert not re.fullmatch(pattern, "a\nb\n") and not re.fullmatch(pattern, "a 1 b c\n")


def test_a_line_of_dots_stands_for_any_lines() -> None:
    pattern = only("$ c\nfirst\n...\nlast\n").pattern()
    assert re.fullmatch(pattern, "first\nlast\n") and re.fullmatch(pattern, "first\n1\n2\nlast\n")
    assert not re.fullmatch(pattern, "first\n1\n")
