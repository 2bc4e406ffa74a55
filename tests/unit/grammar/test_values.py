"""Units, durations, moments, columns, JSON laid out, and the values of run's flags."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockwright.grammar import option_values
from dockwright.grammar.csv import fields
from dockwright.grammar.durations import SECOND, human_duration, parse_duration
from dockwright.grammar.env_files import parse_lines
from dockwright.grammar.json_indent import indent
from dockwright.grammar.mount_options import parse_mount
from dockwright.grammar.network_options import parse_network
from dockwright.grammar.tabwriter import align
from dockwright.grammar.timestamps import go_string, nanoseconds, parse_since
from dockwright.grammar.units import bytes_size, human_size, human_size_three, ram_in_bytes

HOUR = 3600 * SECOND


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("100", 100), ("1k", 1024), ("1.5g", 3 << 29), ("10KiB", 10240), ("10 kb", 10240), ("2T", 2 << 40), ("5b", 5)],
)
def test_sizes_are_read_in_binary(text: str, size: int) -> None:
    assert ram_in_bytes(text) == size


@pytest.mark.parametrize("text", ["", "x", "-5", "1..2", "1_0", "1zz", "1kbb"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="invalid"):
        ram_in_bytes(text)


def test_sizes_are_shown_as_docker_shows_them() -> None:
    assert [human_size(n) for n in (0, 999, 1000, 1_983_744, 5 * 10**9)] == ["0B", "999B", "1kB", "1.984MB", "5GB"]
    assert [human_size_three(n) for n in (1_983_744, 999_999)] == ["1.98MB", "1e+03kB"]
    assert [bytes_size(n) for n in (0, 1024, 25_276_502_016)] == ["0B", "1KiB", "23.54GiB"]


@pytest.mark.parametrize(
    ("nanoseconds_", "text"),
    [
        (0, "Less than a second"), (SECOND, "1 second"), (59 * SECOND, "59 seconds"), (60 * SECOND, "About a minute"),
        (150 * SECOND, "2 minutes"), (HOUR, "About an hour"), (5 * HOUR // 2, "3 hours"), (47 * HOUR, "47 hours"),
        (48 * HOUR, "2 days"), (14 * 24 * HOUR, "2 weeks"), (60 * 24 * HOUR, "2 months"), (731 * 24 * HOUR, "2 years"),
    ],
)  # fmt: skip
def test_how_long_ago(nanoseconds_: int, text: str) -> None:
    assert human_duration(nanoseconds_) == text


def test_durations() -> None:
    assert parse_duration("1h2m3.5s4ms5us6ns") == 3723 * SECOND + 504_005_006
    assert parse_duration("-1.5h") == -5400 * SECOND
    for text in ("", "x", "5", "1h5", ".s", "3000000h"):
        with pytest.raises(ValueError, match="time: "):
            parse_duration(text)


def test_moments() -> None:
    now = 1_700_000_000 * 10**9
    assert parse_since("10m", now) == "1699999400.000000000"
    assert parse_since("1136073845.5", now) == "1136073845.5"
    assert parse_since("2013-01-02T13:23:37Z", now) == "1357133017.000000000"
    assert parse_since("2013-01-02T13:23:37.25+02:00", now) == "1357125817.250000000"
    assert float(parse_since("2013-01-02", now)) == pytest.approx(1357084800, abs=86400)
    for text in ("foo", "2013-13-01", "2013-01-02T", "2013-01-02x13"):
        with pytest.raises(ValueError, match="failed to parse value as time or duration"):
            parse_since(text, now)
    assert nanoseconds("1970-01-02T00:00:00.5Z") == 86400 * SECOND + SECOND // 2
    assert nanoseconds("0001-01-01T00:00:00Z") == -62135596800 * SECOND
    assert go_string("2026-11-24T23:19:58.386701423Z") == "2026-11-24 23:19:58.386701423 +0000 UTC"
    assert go_string("2026-11-24T23:19:58.50+02:00") == "2026-11-24 23:19:58.5 +0200 +0200"


def test_columns() -> None:
    assert align("A\tBB\tC\nlonger than ten\tx\ty\n", 10, 3) == "A                 BB        C\nlonger than ten   x         y\n"
    assert align("a\tb\n\nccccc\td\n", 0, 1) == "a b\n\nccccc d\n"


SCALARS = st.none() | st.booleans() | st.integers() | st.text()


@given(st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_laid_out_is_what_json_makes_of_it(document: object) -> None:
    assert indent(json.dumps(document, ensure_ascii=False)) == json.dumps(document, ensure_ascii=False, indent=4)


def test_json_laid_out_keeps_what_was_written() -> None:
    assert indent('{"a": 1e2,"b":"\\u003c\\"","c":[ ],"d":{ }}') == (
        '{\n    "a": 1e2,\n    "b": "\\u003c\\"",\n    "c": [],\n    "d": {}\n}'
    )


def test_quoted_fields() -> None:
    assert fields('a=b,"c=d,e","x""y"') == ["a=b", "c=d,e", 'x"y']
    assert fields("") == []
    for text in ('a"b', '"a', '"a"b'):
        with pytest.raises(ValueError, match="parse error on line 1"):
            fields(text)


def test_environment_files() -> None:
    content = b"\xef\xbb\xbf# c\nA=b\r\n\n  HOME\nGONE\nX=y z\n"
    assert parse_lines(content, "f", {b"HOME": b"/h"}) == ["A=b", "HOME=/h", "X=y z"]
    assert parse_lines(b"a\nb=c\n", "f", None) == ["b=c"]
    for wrong, text in ((b"a b=c", "variable 'a b' contains whitespaces"), (b"=x", "no variable name on line '=x'"),
                        (b"A=\xff", "invalid utf8 bytes at line 1")):  # fmt: skip
        with pytest.raises(ValueError, match="invalid env file") as caught:
            parse_lines(wrong, "f", None)
        assert text in str(caught.value)


def test_mounts() -> None:
    assert parse_mount("type=bind,src=/a,dst=/b,ro,bind-propagation=RSLAVE") == {
        "Type": "bind", "Source": "/a", "Target": "/b", "ReadOnly": True, "BindOptions": {"Propagation": "rslave"},
    }  # fmt: skip
    tmpfs = parse_mount("type=tmpfs,target=/x,tmpfs-size=1m,tmpfs-mode=1770")["TmpfsOptions"]
    assert tmpfs == {"SizeBytes": 1 << 20, "Mode": 0o1770}
    for text, fault in (
        ("x", "invalid field 'x' must be a key=value pair"), ("type=bind", "target is required"),
        ("dst=/a,foo=b", "unexpected key 'foo' in 'foo=b'"), ("dst=/a,ro=x", "invalid value for ro: x"),
        ("dst=/a,tmpfs-size=1", "cannot mix 'tmpfs-*' options with mount type 'volume'"),
        ("type=bind,dst=/a,bind-recursive=readonly",
         "option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction"),
    ):  # fmt: skip
        with pytest.raises(ValueError) as caught:
            parse_mount(text)
        assert str(caught.value) == fault


def test_networks() -> None:
    assert parse_network("n") == {"target": "n"}
    assert parse_network("name=n,alias=a,ip=1.2.3.4,driver-opt=a=b,gw-priority=2") == {
        "target": "n", "aliases": ["a"], "ip": "1.2.3.4", "driver": {"a": "b"}, "priority": 2,
    }  # fmt: skip
    for text in ("name=", "name=n,x=y", "name=n,ip=x", "name=n,mac-address=x", "name=n,driver-opt=x", "name=n,gw-priority=x"):
        with pytest.raises(ValueError):
            parse_network(text)


@pytest.mark.parametrize(
    ("reader", "text", "fault"),
    [
        ("stream", "foo", "valid streams are STDIN, STDOUT and STDERR"),
        ("label", "=x", "invalid label '=x': empty name"),
        ("link", "a:b:c", "bad format for links: a:b:c"),
        ("extra_host", "x", 'bad format for add-host: "x"'),
        ("extra_host", "x:y", 'invalid IP address in add-host: "y"'),
        ("dns", "x", "IP address is not correctly formatted: x"),
        ("dns_search", "..x", "..x is not a valid domain"),
        ("sysctl", "foo=1", "sysctl 'foo=1' is not allowed"),
        ("ulimit", "x", "invalid ulimit argument: x"),
        ("ulimit", "foo=1", "invalid ulimit type: foo"),
        ("ulimit", "nofile=a", 'strconv.ParseInt: parsing "a": invalid syntax'),
        ("ulimit", "nofile=5:4", "ulimit soft limit must be less than or equal to hard limit: 5 > 4"),
        ("weight_device", "/dev/x:5", "invalid weight for device: /dev/x:5"),
        ("rate_device", "x", "bad format: x"),
        ("cgroup_rule", "x", "invalid device cgroup format 'x'"),
        ("gpus", "x=y", "unexpected key 'x' in 'x=y'"),
        ("gpus", "foo", 'invalid count (foo): value must be either "all" or an integer: invalid syntax'),
    ],
)  # fmt: skip
def test_values_that_docker_refuses(reader: str, text: str, fault: str) -> None:
    with pytest.raises(ValueError) as caught:
        getattr(option_values, reader)(text)
    assert str(caught.value) == fault


def test_environment_of_a_flag() -> None:
    assert option_values.env("A", {b"A": b"b"}) == "A=b"
    assert option_values.env("A", {}) == "A"
    assert option_values.env("A=", {b"A": b"b"}) == "A="
