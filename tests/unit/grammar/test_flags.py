"""Flags by pflag's grammar, with pflag's texts."""

import pytest

from dockwright.grammar.flags import FlagError, Flags, Given, Parser

FLAGS = Flags(
    "a/all:bool d/detach:bool e/env:list m/memory:bytes name n/number:int small:uint16 wait:duration cpus:decimal "
    "f/filter:filter platform:stringSlice",
    {"net": "name"},
    {"net": "use --name instead"},
)


def parse(*arguments: str, interspersed: bool = True) -> Given:
    return Parser(FLAGS, interspersed).parse(list(arguments))


def test_values_of_all_kinds() -> None:
    given = parse("-ad", "-e", "A=b", "-eC", "-e=D", "--memory=1.5g", "--name", "x", "-n0x10", "--small", "7", "--wait", "1m30s",
                  "--cpus", ".5", "-f", " Name = x ", "--platform", "a,b")  # fmt: skip
    assert given.values == {
        "all": True, "detach": True, "env": ["A=b", "C", "D"], "memory": 3 << 29, "name": "x", "number": 16, "small": 7,
        "wait": 90 * 10**9, "cpus": 500_000_000, "filter": [("name", "x")], "platform": ["a", "b"],
    }  # fmt: skip


def test_where_flags_end() -> None:
    assert parse("x", "-a", "--", "-d").rest == ["x", "-d"]
    given = parse("-a", "x", "-d", interspersed=False)
    assert (given.values, given.rest) == ({"all": True}, ["x", "-d"])
    assert parse("-").rest == ["-"]


def test_other_spellings() -> None:
    given = parse("--net", "x")
    assert (given.text("name"), given.notes) == ("x", ["Flag --net has been deprecated, use --name instead"])
    assert parse("-h").notes == ["Flag shorthand -h has been deprecated, use --help"]
    assert parse("--all=false").values == {"all": False}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--foo"], "unknown flag: --foo"),
        (["-az"], "unknown shorthand flag: 'z' in -az"),
        (["--name"], "flag needs an argument: --name"),
        (["-e"], "flag needs an argument: 'e' in -e"),
        (["--=x"], "bad flag syntax: --=x"),
        (["---x"], "bad flag syntax: ---x"),
        (["-a=x"], 'invalid argument "x" for "-a, --all" flag: strconv.ParseBool: parsing "x": invalid syntax'),
        (["-m", "foo"], """invalid argument "foo" for "-m, --memory" flag: invalid size: 'foo'"""),
        (["-m", "1x"], """invalid argument "1x" for "-m, --memory" flag: invalid suffix: 'x'"""),
        (["-n", "1_"], 'invalid argument "1_" for "-n, --number" flag: strconv.ParseInt: parsing "1_": invalid syntax'),
        (["-n", str(1 << 63)], f'invalid argument "{1 << 63}" for "-n, --number" flag: strconv.ParseInt: parsing "{1 << 63}": '
                               "value out of range"),
        (["--small", "-1"], 'invalid argument "-1" for "--small" flag: strconv.ParseUint: parsing "-1": invalid syntax'),
        (["--wait", "5"], 'invalid argument "5" for "--wait" flag: time: missing unit in duration "5"'),
        (["--wait", "5x"], 'invalid argument "5x" for "--wait" flag: time: unknown unit "x" in duration "5x"'),
        (["--cpus", "x"], 'invalid argument "x" for "--cpus" flag: failed to parse x as a rational number'),
        (["--cpus", "1e-10"], 'invalid argument "1e-10" for "--cpus" flag: value is too precise'),
        (["-f", "x"], 'invalid argument "x" for "-f, --filter" flag: bad format of filter (expected name=value)'),
    ],
)  # fmt: skip
def test_errors_in_pflags_words(arguments: list[str], text: str) -> None:
    with pytest.raises(FlagError) as caught:
        parse(*arguments)
    assert str(caught.value) == text
