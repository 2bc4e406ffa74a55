"""Who is believed to be a registry: certificates, mirrors, proxies; and nobody gets credentials who should not."""

import dataclasses
import gzip
import socket
import ssl
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dockwright.base.errors import EngineError
from dockwright.images.registry.client import Caller
from dockwright.images.registry.credentials import Credentials

NAME = "registry.test"


class Authority:
    """A certificate authority in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.certificate = folder / "ca.crt"
        self._run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=authority", "-keyout",
                  str(folder / "ca.key"), "-out", str(self.certificate))  # fmt: skip

    def _run(self, *words: str) -> None:
        subprocess.run(["openssl", *words], check=True, capture_output=True)

    def issue(self, name: str, names: str, expired: bool = False) -> tuple[str, str]:
        """Certificate and key of somebody with these names (subjectAltName)."""
        key, request, out = (str(self.folder / f"{name}.{kind}") for kind in ("key", "csr", "pem"))
        more = self.folder / f"{name}.ext"
        more.write_text(f"subjectAltName={names}\n")
        self._run("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        (self.folder / "index").write_text("")
        config = self.folder / "ca.conf"
        config.write_text(
            f"[ca]\ndefault_ca=d\n[d]\ndatabase={self.folder}/index\nnew_certs_dir={self.folder}\nrand_serial=yes\n"
            "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n"
        )
        span = ["-days", "30"] if not expired else ["-startdate", "20200101000000Z", "-enddate", "20200102000000Z"]
        self._run("ca", "-batch", "-notext", "-config", str(config), "-cert", str(self.certificate), "-keyfile",
                  str(self.folder / "ca.key"), "-in", request, "-out", out, "-extfile", str(more), *span)  # fmt: skip
        return out, key


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "ca")


@pytest.fixture
def secure(registry: Any, authority: Authority) -> Iterator[Callable[..., Any]]:
    """Makes registries with TLS; `clients`: whose certificates they want to see."""
    started = []

    def start(names: str = f"DNS:{NAME}", expired: bool = False, clients: Path | None = None) -> Any:
        certificate, key = authority.issue("server", names, expired)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        if clients:
            context.load_verify_locations(str(clients))
            context.verify_mode = ssl.CERT_REQUIRED
        started.append(type(registry)(context))
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.fixture(autouse=True)
def resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    """registry.test is this machine; nothing else is changed."""
    real = socket.getaddrinfo

    def lookup(host: Any, *rest: Any, **more: Any) -> Any:
        return real("127.0.0.1" if host in (NAME, NAME.encode()) else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)


@pytest.fixture
def layer(images: Any) -> bytes:
    return bytes(images.tar([("a", tarfile.REGTYPE, b"a" * 1000, 0o644)]))


def configured(rig: Any, tmp_path: Path, host: str, files: dict[str, str | Path]) -> None:
    """certs.d/HOST with these files (texts, or paths that are copied)."""
    folder = tmp_path / "certs.d" / host
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_text(content.read_text() if isinstance(content, Path) else content)
    rig.settings = dataclasses.replace(rig.settings, certificates=(str(tmp_path / "certs.d"),))


def name_of(registry: Any) -> str:
    """The registry by its name instead of its address, which would make it insecure."""
    return f"{NAME}:{registry.host.rpartition(':')[2]}"


def test_an_authority_of_ones_own(overlay: Any, secure: Any, authority: Authority, layer: bytes, tmp_path: Path) -> None:
    registry = secure()
    registry.image([layer], "1")
    with pytest.raises(EngineError, match="x509: certificate signed by unknown authority"):
        overlay.pull(f"{name_of(registry)}/a")
    assert registry.asked == []
    configured(overlay, tmp_path, name_of(registry), {"own.crt": authority.certificate})
    overlay.pull(f"{name_of(registry)}/a")
    overlay.consistent()


@pytest.mark.parametrize(
    ("names", "expired", "text"),
    [("DNS:other.test", False, "x509: "), (f"DNS:{NAME}", True, "x509: certificate has expired or is not yet valid")],
)
def test_certificates_that_are_not_good(
    overlay: Any, secure: Any, authority: Authority, tmp_path: Path, names: str, expired: bool, text: str
) -> None:
    registry = secure(names, expired)
    configured(overlay, tmp_path, name_of(registry), {"own.crt": authority.certificate})
    with pytest.raises(EngineError, match=text):
        overlay.pull(f"{name_of(registry)}/a", caller=Caller(Credentials("u", "p")))
    assert registry.asked == []  # nothing was said, least of all a password


def test_a_certificate_for_the_client(overlay: Any, secure: Any, authority: Authority, layer: bytes, tmp_path: Path) -> None:
    registry = secure(clients=authority.certificate)
    registry.image([layer], "1")
    configured(overlay, tmp_path, name_of(registry), {"own.crt": authority.certificate})
    with pytest.raises(EngineError):
        overlay.pull(f"{name_of(registry)}/a")
    certificate, key = authority.issue("client", "DNS:client")
    folder = tmp_path / "certs.d" / name_of(registry)
    (folder / "client.cert").write_text(Path(certificate).read_text())
    (folder / "client.key").write_text(Path(key).read_text())
    overlay.pull(f"{name_of(registry)}/a")


def test_an_insecure_registry_may_have_any_certificate_and_is_not_asked_without(
    overlay: Any, secure: Any, layer: bytes
) -> None:
    registry = secure("DNS:other.test")
    registry.image([layer], "1")
    overlay.settings = dataclasses.replace(overlay.settings, insecure=(name_of(registry),))
    overlay.pull(f"{name_of(registry)}/a")
    assert registry.count("manifests") == 2


def test_a_registry_without_tls_is_asked_only_if_it_may_be(overlay: Any, registry: Any, layer: bytes) -> None:
    registry.image([layer], "1")
    with pytest.raises(EngineError, match="http: server gave HTTP response to HTTPS client"):
        overlay.pull(f"{name_of(registry)}/a", caller=Caller(Credentials("u", "p")))
    assert not [fields for fields in registry.headers if "Authorization" in fields]
    overlay.settings = dataclasses.replace(overlay.settings, insecure=(name_of(registry),))
    overlay.pull(f"{name_of(registry)}/a")


def test_a_mirror_of_any_registry(overlay: Any, registry: Any, layer: bytes, tmp_path: Path) -> None:
    registry.image([layer], "1")
    table = f'host."http://{registry.host}"'
    hosts = f'[{table}]\ncapabilities = ["pull", "resolve"]\n[{table}.header]\nX-A = "b"\n'
    configured(overlay, tmp_path, "quay.example", {"hosts.toml": hosts})
    overlay.pull("quay.example/a", caller=Caller(Credentials("u", "p", server="quay.example")))
    assert overlay.query("SELECT name FROM image_tag") == [("quay.example/a:1",)]
    assert {fields["X-A"] for fields in registry.headers} == {"b"}
    assert not [fields for fields in registry.headers if "Authorization" in fields]


def test_a_mirror_that_fails_is_passed_over(overlay: Any, registry: Any, secure: Any, layer: bytes) -> None:
    """Mirrors of Docker Hub in order: one that is away, one that has nothing, one that breaks in the midst, a good one."""
    broken, good = type(registry)(), type(registry)()
    for each in (broken, good):
        each.image([layer], "1")
    broken.when("GET .*/blobs/", lambda request: request.reply(404))
    mirrors = ("http://127.0.0.1:9", f"http://{registry.host}", f"http://{broken.host}", f"http://{good.host}/")
    overlay.settings = dataclasses.replace(overlay.settings, mirrors=mirrors)
    lines = overlay.pull("team/a")
    assert lines[-1]["status"] == "Status: Downloaded newer image for team/a:1"
    assert registry.count("manifests") and broken.count("blobs") and good.count("blobs") == 2
    overlay.consistent()
    broken.close()
    good.close()


class Proxy:
    """Takes CONNECT and plain requests, and notes what for."""

    def __init__(self, target: str) -> None:
        self.asked: list[str] = []
        self._target = target.partition(":")[0], int(target.rpartition(":")[2])
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(client,), daemon=True).start()

    def _one(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        self.asked.append(head.split(b"\r\n")[0].decode())
        server = socket.create_connection(self._target)
        if head.startswith(b"CONNECT"):
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            server.sendall(head)
        threading.Thread(target=_copy, args=(client, server), daemon=True).start()
        _copy(server, client)

    def close(self) -> None:
        self._listener.close()


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # one of them has gone


@pytest.mark.parametrize("kind", ["http", "https"])
def test_proxies(overlay: Any, registry: Any, secure: Any, authority: Authority, layer: bytes, tmp_path: Path, kind: str) -> None:
    served = secure() if kind == "https" else registry
    served.image([layer], "1")
    proxy = Proxy(served.host)
    host = f"{NAME}:7" if kind == "https" else f"far.test:{served.host.rpartition(':')[2]}"
    configured(overlay, tmp_path, host, {"own.crt": authority.certificate})
    overlay.settings = dataclasses.replace(overlay.settings, proxies={kind: proxy.url}, insecure=("far.test",))
    if kind == "https":
        overlay.pull(f"{host}/a")
        assert set(proxy.asked) == {f"CONNECT {host} HTTP/1.1"}
    else:
        overlay.pull(f"{host}/a")
        assert proxy.asked[0].startswith(f"HEAD http://{host}/v2/a/manifests/1 ")
    proxy.close()
    assert gzip.decompress(served.blobs[next(iter(served.blobs))])


@pytest.mark.parametrize(
    ("scheme", "text"), [("http", "redirected to the local address 127.0.0.2: refused"), ("https", "from https to http")]
)
def test_a_redirect_into_the_house(
    overlay: Any, registry: Any, secure: Any, authority: Authority, layer: bytes, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, scheme: str, text: str,
) -> None:  # fmt: skip
    from dockwright.images.registry import transport

    async def internal(host: str) -> bool:  # what is on the loopback device stands for the world here, but for one address
        return host == "127.0.0.2"

    monkeypatch.setattr(transport, "_is_internal", internal)
    served = secure() if scheme == "https" else registry
    served.image([layer], "1")
    served.when("GET .*/blobs/", lambda request: request.reply(307, Location=f"http://127.0.0.2{request.path}"))
    host = name_of(served) if scheme == "https" else served.host
    configured(overlay, tmp_path, host, {"own.crt": authority.certificate})
    with pytest.raises(EngineError, match=text):
        overlay.pull(f"{host}/a")
