"""TLS on TCP sockets: the real client and our own, with and without certificates, streams whose directions end alone."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests import certificates
from tests.api.daemon import test_settings as settings

ROOT = Path(__file__).parents[3]
OURS = str(ROOT / ".venv/bin/dockwright")
HOST = "tcp://127.0.0.1:23760"


class Secured:
    """A daemon that asks for certificates at HOST, and clients of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        authority = certificates.Authority(folder)
        certificate, key = authority.sign("server")
        for made, name in zip((authority.path, *authority.sign("client")), ("ca", "cert", "key"), strict=True):
            (folder / "mine").mkdir(exist_ok=True)
            (folder / "mine" / f"{name}.pem").write_bytes(made.read_bytes())
        other = certificates.Authority(folder, "other")
        certificate_of_another, key_of_another = other.sign("x")
        self.stranger = [f"--tlscacert={authority.path}", f"--tlscert={certificate_of_another}", f"--tlskey={key_of_another}"]
        self.trusting_another = [f"--tlscacert={other.path}", *self.files(folder / "mine")[1:]]
        own = [f"--tlscacert={authority.path}", f"--tlscert={certificate}", f"--tlskey={key}"]
        self.place = settings.Place(["--bridge=none", "--tlsverify", *own, "-H", HOST])
        self.place.load()
        self.mine = ["--tlsverify", *self.files(folder / "mine")]

    @staticmethod
    def files(folder: Path) -> list[str]:
        return [f"--tlscacert={folder}/ca.pem", f"--tlscert={folder}/cert.pem", f"--tlskey={folder}/key.pem"]

    def client(
        self, program: str, *arguments: str, stdin: bytes = b"", **variables: str
    ) -> "subprocess.CompletedProcess[bytes]":
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), **variables}
        command = [*self.place._enter(), program, *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, env=environment, timeout=60, check=False)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    made = Secured(tmp_path_factory.mktemp("tls"))
    try:
        yield made
    finally:
        made.place.close()


@pytest.fixture(params=["docker", OURS], ids=["docker", "ours"])
def program(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_flags_variables_and_a_context(secured: Secured, program: str) -> None:
    wanted = ("version", "--format", "{{.Server.Version}}")
    assert secured.client(program, "-H", HOST, *secured.mine, *wanted).stdout == b"27.5.1\n"
    variables = {"DOCKER_HOST": HOST, "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": f"{secured.folder}/mine"}
    assert secured.client(program, *wanted, **variables).stdout == b"27.5.1\n"
    made = secured.client("docker", "context", "create", "there", "--docker",
                          f"host={HOST},ca={secured.folder}/mine/ca.pem,cert={secured.folder}/mine/cert.pem,"
                          f"key={secured.folder}/mine/key.pem")  # fmt: skip
    assert made.returncode == 0 or b"already exists" in made.stderr
    assert secured.client(program, "--context", "there", *wanted).stdout == b"27.5.1\n"


def test_a_stream_whose_input_ends_goes_on(secured: Secured, program: str) -> None:
    """What the container has read is said after the end of its input, so only half of the stream may be closed."""
    data = os.urandom(3 << 20)
    run = ("run", "--rm", "-i", "--network", "none", "busybox", "sh", "-c", "cat; sleep 0.3; echo the end")
    said = secured.client(program, "-H", HOST, *secured.mine, *run, stdin=data)
    assert said.returncode == 0, said.stderr
    assert hashlib.sha256(said.stdout).digest() == hashlib.sha256(data + b"the end\n").digest()


def test_exec_and_logs(secured: Secured, program: str) -> None:
    base = ("-H", HOST, *secured.mine)
    ident = secured.client(program, *base, "run", "-d", "--network", "none", "busybox", "sleep", "100").stdout.decode().strip()
    said = secured.client(program, *base, "exec", "-i", ident, "sh", "-c", "wc -c; exit 3", stdin=b"x" * 100_000)
    assert (said.returncode, said.stdout) == (3, b"100000\n")
    assert secured.client(program, *base, "rm", "-f", ident).returncode == 0


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (lambda s: [], "Client sent an HTTP request to an HTTPS server."),
        (lambda s: ["--tlsverify", s.mine[1]], "remote error: tls: certificate required"),
        (lambda s: ["--tlsverify", *s.stranger], "remote error: tls: "),
        (lambda s: ["--tlsverify", *s.trusting_another], "tls: failed to verify certificate: x509: certificate signed by"),
        (lambda s: ["--tlsverify", "--tlscacert=/nowhere"], "unable to resolve docker endpoint: open /nowhere: no such file"),
        (lambda s: [*s.mine, f"--tlskey={s.folder}/server-key.pem"], "private key does not match public key"),
    ],
    ids=["plain", "no-certificate", "strange-certificate", "strange-daemon", "no-file", "wrong-key"],
)
def test_what_is_refused(secured: Secured, program: str, flags: Any, text: str) -> None:
    said = secured.client(program, "-H", HOST, *flags(secured), "ps")
    assert said.returncode == 1 and text in said.stderr.decode()


def test_who_is_not_verified_is_warned_of(secured: Secured) -> None:
    own = [f"--tlscert={secured.folder}/server.pem", f"--tlskey={secured.folder}/server-key.pem"]
    with settings.place(["--bridge=none", "--tlsverify=false", *own, "-H", HOST]) as made:
        said = made.inside("curl", "-sSk", HOST.replace("tcp", "https") + "/_ping")
        assert (said.stdout, said.stderr) == (b"OK", b""), made.log
        text = "API is accessible on https://127.0.0.1:23760 without TLS client verification."
        assert text in made.info()["Warnings"][0] and text in made.log
        assert 'Be safe out there!" host="tcp://127.0.0.1:23760"' in made.log
    assert "API is accessible" not in secured.place.log


def test_tls_alone_asks_for_certificates_at_dockers_port(secured: Secured, tmp_path: Path) -> None:
    """Without a host there is localhost:2376 too; the files are those in ~/.docker."""
    for target, source in (("ca", "ca"), ("cert", "server"), ("key", "server-key")):
        (tmp_path / f"{target}.pem").write_bytes((secured.folder / f"{source}.pem").read_bytes())
    file = tmp_path / "daemon.json"
    file.write_text('{"hosts": [""], "tls": true, "bridge": "none"}')
    command = [sys.executable, "-c", settings.CODE, "--validate", f"--config-file={file}"]
    environment = {**os.environ, "DOCKER_CERT_PATH": str(tmp_path)}
    assert subprocess.run(command, env=environment, capture_output=True, check=False).stdout == b"configuration OK\n"
    (tmp_path / "ca.pem").unlink()
    refused = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    why = f'could not read CA certificate "{tmp_path}/ca.pem": open {tmp_path}/ca.pem: no such file or directory'
    assert f"invalid TLS configuration: {why}" in refused.stderr


def test_docker_py_attaches(secured: Secured) -> None:
    """docker-py closes its socket's half by closing it all; here the client only listens."""
    code = (
        "import docker, sys; d = sys.argv[1];"
        "t = docker.tls.TLSConfig(ca_cert=d+'/ca.pem', client_cert=(d+'/cert.pem', d+'/key.pem'), verify=True);"
        f"c = docker.DockerClient({HOST!r}, tls=t);"
        "print(c.containers.run('busybox', 'echo hello', network_mode='none', remove=True).decode())"
    )
    command = [*secured.place._enter(), sys.executable, "-c", code, f"{secured.folder}/mine"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(secured.folder)}
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert said.stdout == "hello\n\n", said.stderr
