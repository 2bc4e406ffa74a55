"""Router, versions, queries, JSON, shapes, listeners: the parts of the server without a connection."""

import os
import socket
import stat

import pytest

from dockwright.api.encoding import encode, line
from dockwright.api.exchange import Exchange
from dockwright.api.headblock import HeadError, check
from dockwright.api.hosts import check_host
from dockwright.api.listeners import listen, listen_unix, passed
from dockwright.api.query import Query
from dockwright.api.router import Router
from dockwright.api.routes import ROUTES
from dockwright.api.shapes import image, shaped
from dockwright.api.shapes import system as system_shapes
from dockwright.api.versions import accept
from dockwright.base.errors import Conflict, Forbidden, InvalidParameter, NotFound


def found(method, target):
    exchange = Exchange(None, None, method, target, {})
    return Router(ROUTES).find(exchange), exchange


@pytest.mark.parametrize(
    ("method", "target", "path", "name", "version"),
    [
        ("GET", "/info", "/info", "", (1, 47)),
        ("GET", "/v1.24/info?x=1", "/info", "", (1, 24)),
        ("GET", "/containers/a/json", "/containers/{name}/json", "a", (1, 47)),
        ("GET", "/containers/json", "/containers/json", "", (1, 47)),
        ("DELETE", "/v1.30/containers/a", "/containers/{name}", "a", (1, 30)),
        ("GET", "/images/reg:5000/a/json/json", "/images/{name}/json", "reg:5000/a/json", (1, 47)),
        ("GET", "/images/get", "/images/get", "", (1, 47)),
        ("GET", "/images/a/b/get", "/images/{name}/get", "a/b", (1, 47)),
        ("DELETE", "/images/a/b@sha256:1", "/images/{name}", "a/b@sha256:1", (1, 47)),
        ("GET", "/containers/a/attach/ws", "/containers/{name}/attach/ws", "a", (1, 47)),
        ("POST", "/exec/e/start", "/exec/{name}/start", "e", (1, 47)),
        ("GET", "/dockwright/v1/containers/c/trace", "/dockwright/v1/containers/{name}/trace", "c", (1, 47)),
    ],
)
def test_routes(method, target, path, name, version):
    route, exchange = found(method, target)
    assert (route.path, exchange.name, exchange.version) == (path, name, version)


@pytest.mark.parametrize(
    "target", ["/", "", "/v1.47", "/v1.47/", "/containers//json", "/v1.41x/info", "//info", "*", "/info/", "/vx/info"]
)
def test_no_such_page(target):
    with pytest.raises(NotFound, match="page not found"):
        found("GET", target)


def test_the_method_counts():
    with pytest.raises(NotFound):
        found("POST", "/info")
    with pytest.raises(NotFound):
        found("HEAD", "/info")


def test_no_route_is_written_twice():
    pairs = [(route.method, route.path) for route in ROUTES]
    assert len(pairs) == len(set(pairs))


@pytest.mark.parametrize("text", ["1.24", "1.40", "1.47"])
def test_versions_we_speak(text):
    assert accept(text) == tuple(map(int, text.split(".")))


@pytest.mark.parametrize("text", ["1.23", "1", "1.", "0.9", "1.48", "1.100", "2", "1.47.1", "9" * 300])
def test_versions_we_do_not(text):
    with pytest.raises(InvalidParameter, match=r"client version .* is too (old|new)"):
        accept(text)


@pytest.mark.parametrize("value", ["1", "true", "True", "yes", "on", "x", "2"])
def test_true_in_a_query(value):
    assert Query(f"a={value}").flag("a")


@pytest.mark.parametrize("raw", ["a=0", "a=no", "a=false", "a=None", "a=", "a", "", "a=%20"])
def test_false_in_a_query(raw):
    assert not Query(raw).flag("a")


def test_defaults_of_a_query():
    assert Query("").flag("a", default=True)
    assert not Query("a=").flag("a", default=True)
    assert Query("").number("n") is None
    assert Query("n=-5").number("n") == -5
    assert Query("a=1&a=2").text("a") == "1"
    assert Query("a=1&a=2").all("a") == ["1", "2"]
    assert Query("a=x+y%2Bz").text("a") == "x y+z"


@pytest.mark.parametrize("value", ["x", "1.5", "1e9", "0x10", str(1 << 63), "9" * 5000, " 1", "1_0"])
def test_no_numbers(value):
    with pytest.raises(InvalidParameter, match=r"strconv\.ParseInt"):
        Query(f"n={value}").number("n")


@pytest.mark.parametrize(
    ("value", "nanoseconds"),
    [("", None), ("0", None), ("5", 5_000_000_000), ("1.5", 1_500_000_000), ("1.000000001", 1_000_000_001)],
)
def test_timestamps(value, nanoseconds):
    assert Query(f"since={value}").timestamp("since") == nanoseconds


@pytest.mark.parametrize("value", ["x", "1.x", "1.", "2024-01-01", str(1 << 64)])
def test_no_timestamps(value):
    with pytest.raises(InvalidParameter):
        Query(f"since={value}").timestamp("since")


def test_filters_in_both_forms():
    assert Query('filters={"a":["b","c"]}').filters() == {"a": ["b", "c"]}
    assert Query('filters={"a":{"b":true,"c":false}}').filters() == {"a": ["b"]}
    assert Query("").filters() == {}


@pytest.mark.parametrize("value", ["x", "[]", '{"a":"b"}', '{"a":[1]}', '{"a":{"b":1}}', "{" * 1000, "[" * 100_000])
def test_bad_filters(value):
    with pytest.raises(InvalidParameter, match=r"^invalid filter$"):
        Query(f"filters={value}").filters()


def test_go_escapes():
    assert encode({"a": "<&>\u2028\u2029é"}) == '{"a":"\\u003c\\u0026\\u003e\\u2028\\u2029é"}'.encode()
    assert line([]) == b"[]\n"


def test_head_blocks():
    check(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX-Content-Length: 6")
    with pytest.raises(HeadError):
        check(b"GET / HTTP/1.1\r\ncontent-length: 5\r\nCONTENT-LENGTH: 5")


def test_shapes_stop_at_their_version():
    row = {"RepoTags": [], "RepoDigests": [], "Size": 3}
    assert shaped(dict(row), (1, 44), image.SUMMARY) == row
    assert shaped(dict(row), (1, 43), image.SUMMARY) == {**row, "VirtualSize": 3}
    assert shaped({"RepoTags": ["a:1"], "RepoDigests": [], "Size": 3}, (1, 42), image.SUMMARY)["RepoDigests"] is None


def test_old_security_options_are_bare_names():
    info = {"SecurityOptions": ["name=seccomp,profile=builtin", "name=apparmor"]}
    assert shaped(info, (1, 24), system_shapes.INFO)["SecurityOptions"] == ["seccomp", "apparmor"]


@pytest.mark.parametrize("host", ["localhost", "localhost:2375", "127.0.0.1:2375", "[::1]:2375", "10.0.0.1", "docker"])
def test_hosts_on_tcp(host):
    check_host({"host": host})


@pytest.mark.parametrize("fields", [{"host": "evil.example:2375"}, {"host": "localhost", "origin": "http://evil"}])
def test_foreign_hosts_and_origins(fields):
    with pytest.raises(Forbidden):
        check_host(fields)


def test_a_unix_socket_is_root_and_group_only(tmp_path):
    path = str(tmp_path / "deep" / "s.sock")
    sock = listen_unix(path, str(os.getgid()))
    status = os.stat(path)
    sock.close()
    assert stat.S_IMODE(status.st_mode) == 0o660
    assert status.st_gid == os.getgid()


def test_a_live_socket_is_left_alone_and_a_stale_one_replaced(tmp_path):
    path = str(tmp_path / "s.sock")
    sock = listen_unix(path, "0")
    inode = os.stat(path).st_ino
    with pytest.raises(Conflict):
        listen_unix(path, "0")
    assert os.stat(path).st_ino == inode
    sock.close()
    listen_unix(path, "0").close()


def test_a_file_in_the_way_is_not_removed(tmp_path):
    (tmp_path / "s.sock").write_text("mine")
    with pytest.raises(InvalidParameter):
        listen_unix(str(tmp_path / "s.sock"), "0")
    assert (tmp_path / "s.sock").read_text() == "mine"


def test_all_hosts_or_none(tmp_path):
    with pytest.raises(InvalidParameter):
        listen([f"unix://{tmp_path}/a.sock", "unix://" + "/x" * 100], "0")
    listen_unix(f"{tmp_path}/a.sock", "0").close()


def test_an_unknown_group():
    with pytest.raises(InvalidParameter, match="group nosuchgroup not found"):
        listen(["unix:///nowhere/x"], "nosuchgroup")


def test_tcp():
    (sock,) = listen(["tcp://127.0.0.1:0"], "0")
    assert sock.family == socket.AF_INET
    sock.close()


def test_no_sockets_from_systemd(monkeypatch):
    monkeypatch.delenv("LISTEN_PID", raising=False)
    with pytest.raises(InvalidParameter, match="no sockets found via socket activation"):
        passed("")
