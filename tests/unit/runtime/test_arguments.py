"""Go's flag grammar as runc's callers use it."""

import pytest

from dockwright.runtime.arguments import LIST, SWITCH, VALUE, UsageError, parse

TABLE = {"bundle": VALUE, "detach": SWITCH, "env": LIST, "preserve-fds": VALUE}
ALIASES = {"b": "bundle", "d": "detach", "e": "env"}


def values(*words: str, stop: bool = False) -> tuple[dict[str, object], list[str]]:
    options = parse(TABLE, list(words), aliases=ALIASES, stop=stop)
    return dict(options.values), options.words


@pytest.mark.parametrize("words", [("--bundle", "x"), ("-bundle", "x"), ("--bundle=x",), ("-b", "x"), ("-b=x",)])
def test_a_value_in_every_spelling(words: tuple[str, ...]) -> None:
    assert values(*words) == ({"bundle": "x"}, [])


def test_flags_may_follow_words_or_end_there() -> None:
    assert values("id", "--detach") == ({"detach": True}, ["id"])
    assert values("id", "--detach", stop=True) == ({}, ["id", "--detach"])
    assert values("-d", "--", "--bundle", stop=True) == ({"detach": True}, ["--bundle"])


def test_switches_take_a_value_only_by_equals() -> None:
    assert values("--detach=false", "x") == ({"detach": False}, ["x"])
    with pytest.raises(UsageError, match='invalid boolean value "maybe" for -detach'):
        values("--detach=maybe")


def test_lists_and_empty_values() -> None:
    assert values("-e", "A=1", "--env=B=2", "--bundle=") == ({"env": ["A=1", "B=2"], "bundle": ""}, [])


def test_a_single_dash_is_a_word() -> None:
    assert values("-") == ({}, ["-"])


def test_errors() -> None:
    with pytest.raises(UsageError, match="flag provided but not defined: -zork"):
        values("--zork")
    with pytest.raises(UsageError, match="flag needs an argument: -bundle"):
        values("--bundle")
    with pytest.raises(UsageError, match='invalid value "x" for flag -preserve-fds'):
        parse(TABLE, ["--preserve-fds", "x"], aliases=ALIASES, stop=False).number("preserve-fds")
