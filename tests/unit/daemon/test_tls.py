"""Certificates of the API's sockets: what dockerd 26.1.5 says of each that cannot be."""

from pathlib import Path

import pytest
from tests import certificates

from dockwright.base.errors import InvalidParameter
from dockwright.daemon import tls
from dockwright.daemon.config import load

NO = 'Could not load X509 key pair (cert: "{0}/a.pem", key: "{0}/no"): open {0}/no: no such file or directory'
PAIR = 'Error reading X509 key pair (cert: "{0}/a.pem", key: "{0}/%s"): tls: %s. Make sure the key is not encrypted.'


@pytest.fixture
def made(tmp_path: Path) -> Path:
    authority = certificates.Authority(tmp_path)
    authority.sign("a"), authority.sign("b")
    (tmp_path / "junk").write_text("junk")
    (tmp_path / "broken").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    return tmp_path


@pytest.mark.parametrize(
    ("key", "authority", "text"),
    [
        ("b-key.pem", "ca.pem", PAIR % ("b-key.pem", "private key does not match public key")),
        ("junk", "ca.pem", PAIR % ("junk", "failed to find any PEM data in key input")),
        ("broken", "ca.pem", PAIR % ("broken", "failed to parse private key")),
        ("no", "ca.pem", NO),
        ("a-key.pem", "junk", 'failed to append certificates from PEM file: "{0}/junk"'),
        ("a-key.pem", "no", 'could not read CA certificate "{0}/no": open {0}/no: no such file or directory'),
    ],
)
def test_texts(made: Path, key: str, authority: str, text: str) -> None:
    files = [f"--tlscert={made}/a.pem", f"--tlskey={made}/{key}", f"--tlscacert={made}/{authority}"]
    with pytest.raises(InvalidParameter) as caught:
        load(["--config-file=/dev/null", "--tlsverify", *files])
    assert caught.value.message == "invalid TLS configuration: " + text.format(made)


@pytest.mark.parametrize(
    ("flags", "secured", "verifies"),
    [
        ([], False, False),
        (["--tls=false"], False, False),
        (["--tls"], True, True),
        (["--tlsverify=false"], True, False),
        (["--tls=false", "--tlsverify"], True, True),
    ],
)
def test_which_is_wanted(made: Path, flags: list[str], secured: bool, verifies: bool) -> None:
    files = [f"--tlscert={made}/a.pem", f"--tlskey={made}/a-key.pem", f"--tlscacert={made}/ca.pem"]
    config = load(["--config-file=/dev/null", "-H", "", *files, *flags])
    assert (tls.secured(config), tls.verifies(config)) == (secured, verifies)
    assert config.hosts == ["tcp://localhost:2376" if secured else "unix:///run/dockwright/dockwright.sock"]
