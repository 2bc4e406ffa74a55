"""Port publications, as docker's own client reads them."""

import pytest

from dockwright.grammar.ports import PortError, from_bindings, parse_exposed, port_map


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ("80", {"80/tcp": [("", "")]}),
        ("8080:80/UDP", {"80/udp": [("", "8080")]}),
        ("80/sctp", {"80/sctp": [("", "")]}),
        ("8080:80/tcp/udp", {"80/tcp": [("", "8080")]}),
        ("8000-8001:80-81", {"80/tcp": [("", "8000")], "81/tcp": [("", "8001")]}),
        ("8000-8010:80", {"80/tcp": [("", "8000-8010")]}),
        ("80-81", {"80/tcp": [("", "")], "81/tcp": [("", "")]}),
        ("127.0.0.1::80", {"80/tcp": [("127.0.0.1", "")]}),
        ("[::1]:80:80", {"80/tcp": [("::1", "80")]}),
        ("::1:80:80", {"80/tcp": [("::1", "80")]}),
        ("[]:80:80", {"80/tcp": [("", "80")]}),
    ],
)
def test_publications(spec: str, found: dict[str, list[tuple[str, str]]]) -> None:
    read = {key: [(entry["HostIp"], entry["HostPort"]) for entry in entries] for key, entries in port_map([spec]).items()}
    assert read == found


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("", "no port specified: <empty>"),
        ("80:", "no port specified: 80:<empty>"),
        ("8080:/tcp", "no port specified: 8080:/tcp<empty>"),
        ("80/xx", "invalid proto: xx"),
        ("a", "invalid containerPort: a"),
        ("8080:70000", "invalid containerPort: 70000"),
        ("70000:80", "invalid hostPort: 70000"),
        ("1.2.3:80:80", "invalid IP address: 1.2.3"),
        ("[fe80::1%eth0]:80:80", "invalid IP address: fe80::1%eth0"),
        ("[::1:80:80", "invalid IP address [::1: address [::1:: missing ']' in address"),
        ("90-91:80-82", "invalid ranges specified for container and host Ports: 80-82 and 90-91"),
    ],
)
def test_what_docker_refuses(spec: str, text: str) -> None:
    with pytest.raises(PortError) as caught:
        port_map([spec])
    assert str(caught.value) == text


def test_exposed_ranges() -> None:
    assert parse_exposed("80-82/udp") == ["80/udp", "81/udp", "82/udp"]
    with pytest.raises(PortError, match="invalid range format for --expose: 82-80"):
        parse_exposed("82-80")


def test_the_apis_bindings() -> None:
    read = [(p.key, p.host_ip, p.host_port) for p in from_bindings({"80/tcp": [], "81/tcp": None, "82/udp": [{"HostPort": "0"}]})]
    assert read == [("80/tcp", "", ""), ("81/tcp", "", ""), ("82/udp", "", "")]
    with pytest.raises(PortError, match='invalid port specification: "8x"'):
        from_bindings({"80/tcp": [{"HostPort": "8x"}]})
