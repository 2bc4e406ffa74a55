"""The registry client's pure parts: endpoints, hosts.toml, credentials, challenges, proxies, refusals, lines of a pull."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dockwright.base.errors import Internal, InvalidParameter
from dockwright.images import oci, platforms
from dockwright.images.layerlines import LayerLines
from dockwright.images.registry.authorization import challenges
from dockwright.images.registry.credentials import by_host, decoded
from dockwright.images.registry.endpoints import PULL, PUSH, endpoints, mirror
from dockwright.images.registry.failures import refusal
from dockwright.images.registry.proxies import proxy
from dockwright.images.registry.settings import RegistrySettings
from dockwright.images.registry.sites import same_site, trusted

NOWHERE = RegistrySettings(certificates=())


def urls(domain: str, settings: RegistrySettings = NOWHERE, purpose: str = PULL) -> list[str]:
    return [endpoint.url for endpoint in endpoints(domain, settings, purpose)]


# endpoints


def test_the_hub_goes_by_another_name_and_has_mirrors() -> None:
    assert urls("docker.io") == ["https://registry-1.docker.io/v2"]
    mirrored = RegistrySettings(mirrors=("http://m:5000/", "https://n/path"), certificates=())
    hub = "https://registry-1.docker.io/v2"
    assert urls("docker.io", mirrored) == ["http://m:5000/v2", "https://n/path/v2", hub]
    assert urls("docker.io", mirrored, PUSH) == [hub]
    assert urls("other.org", mirrored) == ["https://other.org/v2"]


@pytest.mark.parametrize("host", ["127.0.0.1:5000", "127.9.9.9", "[::1]:5000", "localhost:5000", "reg:5000", "10.1.2.3:80"])
def test_insecure_registries_may_do_without_tls_after_trying_it(host: str) -> None:
    settings = RegistrySettings(insecure=("reg:5000", "10.0.0.0/8"), certificates=())
    assert urls(host, settings) == [f"https://{host}/v2", f"http://{host}/v2"]
    assert not endpoints(host, settings)[0].trust.verify


@pytest.mark.parametrize("host", ["example.org", "128.0.0.1", "reg:5001", "localhost.example.org", "127.0.0.1.example.org"])
def test_others_may_not(host: str) -> None:
    settings = RegistrySettings(insecure=("reg:5000", "10.0.0.0/8"), certificates=())
    assert urls(host, settings) == [f"https://{host}/v2"]
    assert endpoints(host, settings)[0].trust.verify


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("ftp://m", 'invalid mirror: unsupported scheme "ftp" in "ftp://m"'),
        ("https://m?a=1", 'invalid mirror: query or fragment at end of the URI "https://m?a=1"'),
        ("https://u:p@m", 'invalid mirror: username/password not allowed in URI "https://xxxxx@m"'),
    ],
)
def test_mirrors_that_cannot_be(url: str, text: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        mirror(url, NOWHERE)
    assert caught.value.message == text


def folder(tmp_path: Path, host: str, files: dict[str, str]) -> RegistrySettings:
    place = tmp_path / host
    place.mkdir()
    for name, text in files.items():
        (place / name).write_text(text)
    return RegistrySettings(certificates=(str(tmp_path / "none"), str(tmp_path)))


def test_certificates_come_from_the_registrys_folder(tmp_path: Path) -> None:
    files = {"b.crt": "", "a.crt": "", "client.cert": "", "client.key": "", "README": ""}
    (found,) = endpoints("r.org:5000", folder(tmp_path, "r.org:5000", files))
    place = tmp_path / "r.org:5000"
    assert found.trust.authorities == (f"{place}/a.crt", f"{place}/b.crt")
    assert found.trust.clients == ((f"{place}/client.cert", f"{place}/client.key"),)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "x.cert",
            "missing key x.key for client certificate x.cert. CA certificates must use the extension .crt",
        ),
        ("x.key", "missing client certificate x.cert for key x.key"),
    ],
)
def test_half_a_pair_is_told(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(Internal) as caught:
        endpoints("r.org", folder(tmp_path, "r.org", {name: ""}))
    assert caught.value.message == text


HOSTS = """
server = "https://origin.example:8443"
ca = "own.pem"

[host."http://mirror.example:5000"]
  capabilities = ["pull", "resolve"]
  [host."http://mirror.example:5000".header]
    X-One = "1"
    X-Two = ["a", "b"]

[host."https://cache.example/base/v2/docker"]
  capabilities = ["pull"]
  override_path = true
  skip_verify = true
  client = [["c.pem", "k.pem"], "both.pem"]
"""


def test_hosts_toml_names_mirrors_of_any_registry(tmp_path: Path) -> None:
    settings = folder(tmp_path, "r.org", {"hosts.toml": HOSTS})
    first, second, last = endpoints("r.org", settings)
    assert (first.url, first.mirror, dict(first.headers)) == (
        "http://mirror.example:5000/v2", True, {"X-One": "1", "X-Two": "a, b"},
    )  # fmt: skip
    assert (second.url, second.trust.verify) == ("https://cache.example/base/v2/docker", False)
    place = tmp_path / "r.org"
    assert second.trust.clients == ((f"{place}/c.pem", f"{place}/k.pem"), (f"{place}/both.pem", ""))
    assert (last.url, last.mirror, last.trust.authorities) == (
        "https://origin.example:8443/v2", False, (f"{place}/own.pem",),
    )  # fmt: skip
    assert [endpoint.url for endpoint in endpoints("r.org", settings, PUSH)] == ["https://origin.example:8443/v2"]


def test_a_hosts_toml_without_a_server_leaves_the_registry_itself(tmp_path: Path) -> None:
    settings = folder(tmp_path, "_default", {"hosts.toml": '[host."https://m"]\n'})
    assert urls("any.org", settings) == ["https://m/v2", "https://any.org/v2"]
    assert urls("docker.io", settings) == ["https://m/v2", "https://registry-1.docker.io/v2"]


@pytest.mark.parametrize(
    "text",
    [
        "server = ", "server = 7", "host = 7", '[host."ftp://x"]\n', 'nonsense = "x"', '[host."https://m"]\nskip_verify = "yes"',
        '[host."https://m"]\ncapabilities = ["delete"]', "ca = [7]", '[host."https://m"]\nclient = [["a", "b", "c"]]',
    ],
)  # fmt: skip
def test_a_broken_hosts_toml_is_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(Internal, match=r"hosts\.toml"):
        endpoints("r.org", folder(tmp_path, "r.org", {"hosts.toml": text}))


# credentials


def header(document: Any, encode: Any = base64.urlsafe_b64encode) -> str:
    return str(encode(json.dumps(document).encode()).decode())


def test_credentials_in_each_form() -> None:
    full = {"username": "u>>>", "password": "p???", "serveraddress": "r.org"}
    for text in (header(full), header(full).rstrip("="), header(full, base64.b64encode)):
        assert decoded(text).username == "u>>>" and decoded(text).password == "p???"
    assert decoded(header({"auth": base64.b64encode(b"a:b:c").decode()})).password == "b:c"
    assert decoded(header({"identitytoken": "i"})).identity == "i"
    assert decoded(header({"registrytoken": "t"})).token == "t"
    assert not decoded("") and not decoded(header({}))
    assert "p???" not in repr(decoded(header(full)))


@pytest.mark.parametrize("text", ["?", "e30x", header([]), header({"username": 7}), "A" * 100_000, header({"auth": "abc"})])
def test_credentials_that_cannot_be_read(text: str) -> None:
    with pytest.raises(InvalidParameter, match="invalid X-Registry-Auth header"):
        decoded(text)


def test_credentials_serve_the_registry_they_are_for() -> None:
    hub = decoded(header({"username": "u", "serveraddress": "https://index.docker.io/v1/"}))
    assert hub.serve("docker.io") and not hub.serve("r.org")
    other = decoded(header({"username": "u", "serveraddress": "r.org:5000"}))
    assert other.serve("r.org:5000") and not other.serve("docker.io") and not other.serve("r.org")
    config = by_host(header({"https://index.docker.io/v1/": {"username": "h"}, "r.org": {"auth": "dTpw"}}))
    assert config["docker.io"].username == "h" and config["r.org"].password == "p"


# challenges


def test_challenges() -> None:
    bearer, basic = challenges(['Bearer realm="https://a/t?x=\\"1\\"",service="s, t",scope="r:a:pull" , error=x', "Basic"])
    assert bearer.scheme == "bearer"
    assert bearer.parameters == {"realm": 'https://a/t?x="1"', "service": "s, t", "scope": "r:a:pull", "error": "x"}
    assert (basic.scheme, basic.parameters) == ("basic", {})
    assert challenges(["", 'Bearer realm="open']) [0].parameters == {"realm": "open"}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("registry-1.docker.io", "auth.docker.io", True), ("r.org:5000", "r.org:443", True),
        ("127.0.0.1:5000", "127.0.0.1:5001", True), ("127.0.0.1", "127.0.0.2", False),
        ("a.evil.org", "b.good.org", False), ("a.co.uk", "b.co.uk", False), ("x.a.co.uk", "y.a.co.uk", True),
        ("registry.tum.de", "gitlab.tum.de", True), ("a.com.au", "b.com.au", False),
        ("localhost", "otherhost", False), ("[::1]:5000", "[::1]:5001", True), ("org", "org.evil.net", False),
    ],
)  # fmt: skip
def test_whose_token_server_may_see_credentials(one: str, other: str, same: bool) -> None:
    assert same_site(one, other) is same


@pytest.mark.parametrize(
    ("registry", "server", "secure", "sees"),
    [
        ("registry-1.docker.io", "auth.docker.io", True, True), ("registry.gitlab.com", "gitlab.com", True, True),
        ("quay.io", "quay.io", True, True), ("ghcr.io", "ghcr.io", True, True), ("eu.gcr.io", "eu.gcr.io", True, True),
        ("x.azurecr.io", "x.azurecr.io", True, True), ("europe-docker.pkg.dev", "europe-docker.pkg.dev", True, True),
        ("registry.cn-hangzhou.aliyuncs.com", "dockerauth.cn-hangzhou.aliyuncs.com", True, True),
        ("rg.fr-par.scw.cloud", "api.scaleway.com", True, True), ("rg.fr-par.scw.cloud", "api.scaleway.com", False, False),
        ("rg.fr-par.scw.cloud", "api.scaleway.com:8443", True, False), ("evilscw.cloud", "api.scaleway.com", True, False),
        ("r.corp:5000", "auth.else:5001", False, True), ("r.corp:5000", "auth.else:5002", False, False),
        ("r.corp", "auth.else:5001", True, False), ("registry.example.org", "evil.net", True, False),
    ],
)  # fmt: skip
def test_which_token_servers_see_a_registrys_credentials(registry: str, server: str, secure: bool, sees: bool) -> None:
    assert trusted(registry, server, secure, [("r.corp:5000", "auth.else:5001")]) is sees


# proxies


@pytest.mark.parametrize(
    ("url", "through"),
    [
        ("https://r.org/v2/", "http://secure:1"), ("http://r.org/", "http://plain:1"), ("https://127.0.0.1/", ""),
        ("https://localhost:5000/", ""), ("https://[::1]/", ""), ("https://inner.corp/", ""), ("https://a.inner.corp/", ""),
        ("https://notinner.corp/", "http://secure:1"), ("https://10.1.1.1/", ""), ("https://11.1.1.1/", "http://secure:1"),
        ("https://ported.org:8443/", ""), ("https://ported.org/", "http://secure:1"), ("https://x.dot.org/", ""),
        ("https://dot.org/", "http://secure:1"), ("https://192.0.2.7/", ""),
    ],
)  # fmt: skip
def test_proxies(url: str, through: str) -> None:
    environment = {"HTTP_PROXY": "plain:1", "https_proxy": "http://secure:1"}
    given = {"no": "inner.corp, 10.0.0.0/8,ported.org:8443,.dot.org,192.0.2.7"}
    assert proxy(url, given, environment) == through


def test_settings_come_before_the_environment() -> None:
    assert proxy("https://r.org", {"https": "http://given:1"}, {"HTTPS_PROXY": "http://other:1"}) == "http://given:1"
    assert proxy("https://r.org", {"https": "http://given:1", "no": "*"}, {}) == ""


# refusals


@pytest.mark.parametrize(
    ("status", "body", "text", "code"),
    [
        (404, b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}', "manifest unknown: manifest unknown",
         "MANIFEST_UNKNOWN"),
        (403, b'{"errors":[{"code":"DENIED"}]}', "denied: requested access to the resource is denied", "DENIED"),
        (401, b"", "unauthorized: authentication required", "UNAUTHORIZED"),
        (401, b'{"details":"incorrect username or password"}', "unauthorized: incorrect username or password", "UNAUTHORIZED"),
        (429, b'{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}',
         "toomanyrequests: You have reached your pull rate limit.", "TOOMANYREQUESTS"),
        (404, b"404 page not found\n",
         "unknown: 404 page not found\n", "UNKNOWN"),
        (404, b"<html>",
         "unknown: <html>", "UNKNOWN"), (404, b"", "unknown: ", "UNKNOWN"),
        (503, b"x", "received unexpected HTTP status: 503 Service Unavailable", ""),
        (400, b'{"errors":[{"code":"A_B","message":"m"},{"code":"C"}]}', "errors:\na b: m\nc: c\n", "A_B"),
    ],
)  # fmt: skip
def test_refusals_in_dockers_words(status: int, body: bytes, text: str, code: str) -> None:
    found = refusal(status, "Service Unavailable", {"Retry-After": "1000000000"}, body)
    assert (found.text, found.code, found.status) == (text, code, status)
    assert found.lasting is (status < 500)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"404 page", "invalid character 'p' after top-level value"),
        (b"<a>", "invalid character '<' looking for beginning of value"),
        (b"", "unexpected end of JSON input"), (b"{}", "no error details found in HTTP response body"),
    ],
)  # fmt: skip
def test_a_refusal_that_only_says_it_is_json(body: bytes, why: str) -> None:
    found = refusal(404, "", {"Content-Type": "application/json"}, body)
    assert found.text == f"error parsing HTTP 404 response body: {why}: {json.dumps(body.decode())}"


def test_a_token_for_less_than_was_asked_is_a_denial() -> None:
    found = refusal(401, "", {"WWW-Authenticate": 'Bearer realm="x",error="insufficient_scope"'}, b"")
    assert (found.code, found.text) == ("DENIED", "denied: requested access to the resource is denied")


@pytest.mark.parametrize(
    "body", [b'{"errors":7}', b'{"errors":[7,null]}', b'{"errors":[{"code":7,"message":[]}]}', b"[" * 100_000]
)
def test_nonsense_in_a_refusal_does_no_harm(body: bytes) -> None:
    assert refusal(404, "", {}, body).text


# platforms


def test_requested_platforms() -> None:
    def entry(digest: str, text: str) -> oci.Descriptor:
        return oci.Descriptor(digest=digest, platform=platforms.parse(text))

    entries = [entry(text, text) for text in ("linux/amd64", "linux/arm/v6", "linux/arm64", "linux/arm/v7", "windows/amd64")]
    unknown = oci.Descriptor(digest="att", platform=oci.Platform(architecture="unknown", os="unknown"))

    def chosen(text: str) -> list[str]:
        return [found.digest for found in platforms.best([unknown, *entries], platforms.parse(text))]

    assert chosen("linux/arm64") == ["linux/arm64", "linux/arm/v7", "linux/arm/v6"]
    assert chosen("linux/arm64/v8") == ["linux/arm64", "linux/arm/v7", "linux/arm/v6"]
    assert chosen("linux/arm/v6") == ["linux/arm/v6"]
    assert chosen("linux/arm") == ["linux/arm/v7", "linux/arm/v6"]
    assert chosen("aarch64") == chosen("linux/arm64")
    assert chosen("linux/s390x") == []
    assert chosen("windows") == ["windows/amd64"]
    assert chosen("x86_64")[0] == "linux/amd64"


@pytest.mark.parametrize("text", ["", "foo", "linux/", "a/b/c/d", "/amd64", "plan9/amd64"])
def test_platforms_that_are_none(text: str) -> None:
    with pytest.raises(InvalidParameter, match="unknown operating system or architecture"):
        platforms.parse(text)


# lines


def test_lines_of_a_pull_come_in_dockers_order() -> None:
    lines: list[dict[str, Any]] = []
    layers = [oci.Descriptor(digest="sha256:" + letter * 64, size=100) for letter in "abc"]
    tell = LayerLines(layers, lines.append)
    tell(0, "Already exists", 0, 0)
    tell(1, "Pulling fs layer", 0, 0)
    tell(2, "Pulling fs layer", 0, 0)
    tell(2, "Downloading", 100, 100)
    tell(2, "Extracting", 50, 100)  # before all has come: not shown
    tell(2, "Verifying Checksum", 0, 0)
    tell(2, "Download complete", 0, 0)
    tell(2, "Extracting", 100, 100)
    tell(2, "Pull complete", 0, 0)  # waits for the one below
    tell(1, "Retrying in 5 seconds", 0, 0)
    tell(1, "Pull complete", 0, 0)
    shown = [(line["id"][0], line["status"]) for line in lines]
    assert shown == [
        ("a", "Already exists"), ("b", "Pulling fs layer"), ("c", "Pulling fs layer"), ("c", "Downloading"),
        ("c", "Verifying Checksum"), ("c", "Download complete"), ("c", "Extracting"), ("b", "Retrying in 5 seconds"),
        ("b", "Pull complete"), ("c", "Pull complete"),
    ]  # fmt: skip
    assert lines[0]["progressDetail"] == {} and lines[3]["progressDetail"] == {"current": 100, "total": 100}


def test_aiohttp_is_imported_at_the_first_request_only() -> None:
    """It would cost the idle daemon 14 MB."""
    code = "import sys, dockwright.daemon.engine; sys.exit('aiohttp' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "src")}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
