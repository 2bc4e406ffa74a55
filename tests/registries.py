"""Real registries for tests (Debian's docker-registry): plain, TLS with basic auth, bearer tokens."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

USER, PASSWORD = "tester", "secret"
BCRYPT = "$2b$05$gqIvq/NxZtXflBjq0MuIB.iAjE9hDKWkxOLH2hKNjn5olWPKbAufW"  # of the password; other hashes are not taken
TOKENS = Path(__file__).with_name("token_server.py")


class Registries:
    """Three registries over one storage, on 127.0.0.1 of a network namespace.

    Args:
        inside: the command that enters the namespace, empty for the host's. ports: for plain, TLS, bearer and tokens.

    Attributes:
        plain, tls, bearer: `127.0.0.1:PORT`. authority: the TLS certificate's file.
    """

    def __init__(self, inside: Sequence[str] = (), ports: Sequence[int] = ()) -> None:
        self.folder = tempfile.mkdtemp(prefix="reg")
        self._inside, self._started = list(inside), []
        ports = ports or _free(4)
        self.plain, self.tls, self.bearer, tokens = (f"127.0.0.1:{port}" for port in ports)
        self.authority = f"{self.folder}/tls.crt"
        for name in ("tls", "token"):
            self._certificate(name)
        Path(self.folder, "htpasswd").write_text(f"{USER}:{BCRYPT}\n")
        realm = f'{{realm: "http://{tokens}/token", service: tests, issuer: tests, rootcertbundle: {self.folder}/token.crt}}'
        self._serve("plain", self.plain, "")
        secure = f"  tls: {{certificate: {self.folder}/tls.crt, key: {self.folder}/tls.key}}\n"
        self._serve("tls", self.tls, f"{secure}auth:\n  htpasswd: {{realm: tests, path: {self.folder}/htpasswd}}\n")
        self._serve("bearer", self.bearer, f"auth:\n  token: {realm}\n")
        key, certificate = f"{self.folder}/token.key", f"{self.folder}/token.crt"
        self._spawn("tokens", sys.executable, str(TOKENS), str(ports[3]), key, certificate, USER, PASSWORD)
        for address in (self.plain, self.tls, self.bearer, tokens):
            self._wait(address)

    def _certificate(self, name: str) -> None:
        names = "subjectAltName=IP:127.0.0.1,DNS:localhost"
        command = f"openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=tests -addext {names}".split()
        files = ["-keyout", f"{self.folder}/{name}.key", "-out", f"{self.folder}/{name}.crt"]
        subprocess.run([*command, *files], check=True, capture_output=True)

    def _serve(self, name: str, address: str, more: str) -> None:
        config = (
            f"version: 0.1\nlog: {{level: warn, accesslog: {{disabled: true}}}}\n"
            f"storage: {{filesystem: {{rootdirectory: {self.folder}/data}}, delete: {{enabled: true}}}}\n"
            f"http:\n  addr: {address}\n  secret: tests\n{more}"
        )
        path = Path(self.folder, f"{name}.yml")
        path.write_text(config)
        self._spawn(name, "docker-registry", "serve", str(path))

    def _spawn(self, name: str, *command: str) -> None:
        with open(f"{self.folder}/{name}.log", "wb") as log:
            self._started.append(subprocess.Popen([*self._inside, *command], stdout=log, stderr=log))

    def _wait(self, address: str) -> None:
        host, _, port = address.partition(":")
        probe = f"import socket; socket.create_connection(({host!r}, {port})).close()"
        deadline = time.monotonic() + 20
        while subprocess.run([*self._inside, sys.executable, "-c", probe], capture_output=True).returncode:
            assert time.monotonic() < deadline, "\n".join(path.read_text() for path in Path(self.folder).glob("*.log"))
            time.sleep(0.05)

    def put(self, archive: Path | str, reference: str, *options: str) -> None:
        """Push an archive's image (`docker-archive:` or `oci:` with its path) to the plain registry, by skopeo."""
        target = f"docker://{self.plain}/{reference}"
        command = ["skopeo", "copy", "-q", "--insecure-policy", "--dest-tls-verify=false", *options, str(archive), target]
        subprocess.run([*self._inside, *command], check=True, capture_output=True, env={**os.environ, "TMPDIR": self.folder})

    def close(self) -> None:
        """End them and remove what they had."""
        for process in self._started:
            process.terminate()
            process.wait(10)
        shutil.rmtree(self.folder)


def _free(count: int) -> list[int]:
    """Ports nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
