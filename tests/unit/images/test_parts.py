"""The pure parts: changes, patterns, moments, platforms, plans of a delete, progress."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from dockwright.base.errors import Conflict, InvalidParameter
from dockwright.images import changes, created, oci, platforms, progress, removal
from dockwright.images.content import checked
from dockwright.images.glob import matches
from dockwright.images.importing import platform, target
from dockwright.images.layers import chain_ids
from dockwright.images.store import Image

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        (['CMD ["a", "b"]'], {"Cmd": ["a", "b"]}),
        (["CMD a b"], {"Cmd": ["/bin/sh", "-c", "a b"]}),
        (["cmd [a b]"], {"Cmd": ["/bin/sh", "-c", "[a b]"]}),
        (['ENTRYPOINT ["x"]'], {"Entrypoint": ["x"]}),
        (["ENV A=1 B='2 3'", "ENV A 4"], {"Env": ["A=4", "B=2 3"]}),
        (["ENV A=/x", "ENV B=$A/y C=${A}z D=\\$A E=${F:-d} G=${A:+h}"],
         {"Env": ["A=/x", "B=/x/y", "C=/xz", "D=$A", "E=d", "G=h"]}),
        (["LABEL a=1", 'LABEL "b c"="d"'], {"Labels": {"a": "1", "b c": "d"}}),
        (["EXPOSE 1 2/udp 3-4"], {"ExposedPorts": {"1/tcp": {}, "2/udp": {}, "3/tcp": {}, "4/tcp": {}}}),
        (['VOLUME ["/a b", "/c"]'], {"Volumes": {"/a b": {}, "/c": {}}}),
        (["VOLUME /a /b"], {"Volumes": {"/a": {}, "/b": {}}}),
        (["WORKDIR a", "WORKDIR ../b/./c"], {"WorkingDir": "/b/c"}),
        (["USER a:b"], {"User": "a:b"}),
        (["STOPSIGNAL 9"], {"StopSignal": "9"}),
        (["HEALTHCHECK NONE"], {"Healthcheck": {"Test": ["NONE"]}}),
        (['HEALTHCHECK --timeout=1m30s --retries=3 CMD ["x"]'],
         {"Healthcheck": {"Timeout": 90_000_000_000, "Retries": 3, "Test": ["CMD", "x"]}}),
        (["ONBUILD RUN a", "ONBUILD COPY b c"], {"OnBuild": ["RUN a", "COPY b c"]}),
    ],
)  # fmt: skip
def test_changes(lines: list[str], wanted: dict[str, Any]) -> None:
    assert changes.apply({}, lines) == wanted


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("RUN x", "RUN is not a valid change command"),
        ("", "is not a valid change command"),
        ("CMD", "CMD requires at least one argument"),
        ("ENV A", "ENV must have two arguments"),
        ("ENV A=1 B", "can't find = in"),
        ("LABEL a='b", "No closing quotation"),
        ("EXPOSE x", "x"),
        ("USER a b", "exactly one argument"),
        ("ONBUILD ONBUILD RUN x", "Chaining ONBUILD"),
        ("ONBUILD FROM x", "FROM isn't allowed as an ONBUILD trigger"),
        ("HEALTHCHECK CMD", "Missing command after HEALTHCHECK CMD"),
        ("HEALTHCHECK RUN x", "Unknown type"),
        ("HEALTHCHECK --x=1s CMD a", "unknown flag: x"),
        ("HEALTHCHECK --interval=1 CMD a", "invalid duration"),
        ('VOLUME [""]', "can not be an empty string"),
    ],
)
def test_changes_refused(line: str, text: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        changes.apply({}, [line])
    assert text in caught.value.message


@pytest.mark.parametrize(
    ("pattern", "text", "wanted"),
    [
        ("a*", "abc", True), ("a*", "a/b", False), ("*/b", "a/b", True), ("a?c", "abc", True), ("a?c", "a/c", False),
        ("[a-c]x", "bx", True), ("[^a-c]x", "bx", False), ("[^a]x", "/x", False), ("a\\*", "a*", True), ("a\\*", "ab", False),
        ("", "", True), ("a.c", "abc", False), ("a+", "a+", True),
    ],
)  # fmt: skip
def test_patterns(pattern: str, text: str, wanted: bool) -> None:
    assert matches(pattern, text) is wanted


@pytest.mark.parametrize("pattern", ["[", "[a", "a\\", "[z-a]"])
def test_bad_patterns(pattern: str) -> None:
    with pytest.raises(ValueError):
        matches(pattern, "a")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1970-01-01T00:00:01Z", 10**9), ("1970-01-01T00:00:01.000000001Z", 10**9 + 1), ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-02", 86400 * 10**9), ("2024-13-01T00:00:00Z", None), ("yesterday", None), ("", None),
        ("0001-01-01T00:00:00Z", 0), ("1970-01-01T00:00:01.5-00:30", (1801 * 10**9) + 5 * 10**8),
    ],
)  # fmt: skip
def test_moments(text: str, wanted: int | None) -> None:
    assert created.nanoseconds(text) == wanted


def test_until() -> None:
    assert created.moment("1h30m", 10**13) == 10**13 - 5400 * 10**9
    assert created.moment("5", 0) == 5 * 10**9
    with pytest.raises(InvalidParameter, match="invalid value for 'until' filter"):
        created.moment("soon", 0)


@pytest.mark.parametrize(
    ("digest", "text"),
    [
        ("sha256:" + "A" * 64, "invalid checksum digest format"), ("sha256:" + "a" * 63, "invalid checksum digest length"),
        ("md5:" + "a" * 32, "unsupported digest algorithm"), ("sha256:../../x", "invalid checksum digest format"), ("", "format"),
    ],
)  # fmt: skip
def test_digests(digest: str, text: str) -> None:
    with pytest.raises(InvalidParameter, match=text):
        checked(digest)


def test_chain_ids() -> None:
    import hashlib

    second = "sha256:" + hashlib.sha256(f"{A} {B}".encode()).hexdigest()
    assert chain_ids([A, B]) == [A, second]
    assert chain_ids([]) == []


def image(*names: str) -> Image:
    return Image("sha256:" + "1" * 64, {}, "", 0, 0, tuple(f"docker.io/library/{name}" for name in names))


def uses(containers: Sequence[str] = (), running: Sequence[str] = (), children: Sequence[str] = ()) -> removal.Uses:
    return removal.Uses(containers, running, children)


def test_plans_of_a_delete() -> None:
    one, two = image("a:1"), image("a:1", "b:1")
    plan, target = removal.plan, "docker.io/library/a:1"
    assert plan(one, target, "a:1", False, uses()) == removal.Plan((target,), True)
    assert plan(two, target, "a:1", False, uses(["c1"], ["c1"])) == removal.Plan((target,), False)
    assert plan(one, target, "a:1", True, uses(["c1"])) == removal.Plan((target,), True)
    assert plan(one, target, "a:1", True, uses(["c1"], ["c1"])) == removal.Plan((target,), False)
    assert plan(one, target, "a:1", True, uses(children=["2"])) == removal.Plan((target,), False)
    assert plan(two, "", "1111", True, uses(["c1"])).deleted
    for wanted, meant, name, force, of, text in (
        (one, target, "a:1", False, uses(["c1"]), '"a:1" (must force) - container c1 is using its referenced image 111111111111'),
        (two, "", "1", False, uses(), "(must be forced) - image is referenced in multiple repositories"),
        (one, "", "1", False, uses(["c1"]), "(must be forced) - image is being used by stopped container c1"),
        (one, "", "1", True, uses(["c0", "c1"], ["c1"]), "(cannot be forced) - image is being used by running container c1"),
        (one, "", "1", True, uses(["c1"], ["c1"], ["2"]), "(cannot be forced) - image has dependent child images"),
    ):
        with pytest.raises(Conflict) as caught:
            plan(wanted, meant, name, force, of)
        assert text in caught.value.message


def test_a_digest_goes_with_the_last_tag_of_its_repository() -> None:
    a1, a2, b1 = (f"docker.io/library/{name}" for name in ("a:1", "a:2", "b:1"))
    digest = f"docker.io/library/a@{A}"

    def plan(names: list[str], target: str) -> removal.Plan:
        wanted = Image("sha256:" + "1" * 64, {}, "", 0, 0, tuple(names), (digest,))
        return removal.plan(wanted, target, target, False, uses())

    assert plan([a1], a1) == removal.Plan((a1, digest), True)
    assert plan([a1, b1], a1) == removal.Plan((a1, digest), False)
    assert plan([a1, a2], a1) == removal.Plan((a1,), False)
    assert plan([a1], digest) == removal.Plan((digest,), False)
    assert plan([], digest) == removal.Plan((digest,), True)
    assert plan([a1], "") == removal.Plan((a1, digest), True)  # one repository: its id needs no force


def entry(digest: str, **platform_: str) -> oci.Descriptor:
    return oci.Descriptor(digest=digest, platform=oci.Platform(**platform_) if platform_ else None)


def test_platforms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platforms.os, "uname", lambda: type("U", (), {"machine": "aarch64"}))
    entries = [
        entry("none"), entry("v7", os="linux", architecture="arm", variant="v7"), entry("amd", os="linux", architecture="amd64"),
        entry("arm", os="linux", architecture="arm64", variant="v8"), entry("plain", os="linux", architecture="aarch64"),
        entry("bare", os="linux", architecture="arm"), entry("win", os="windows", architecture="arm64"),
        entry("v6", os="linux", architecture="armel", variant="v6"),
    ]  # fmt: skip
    assert [e.digest for e in platforms.best(entries)] == ["arm", "plain", "v7", "bare", "v6", "none"]


def test_import_parameters() -> None:
    assert [str(name) for name in target("a", "")] == ["docker.io/library/a:latest"]
    assert [str(name) for name in target("a:1", "2")] == ["docker.io/library/a:2"]
    assert target("", "x") == []
    with pytest.raises(InvalidParameter, match="cannot import digest reference"):
        target(f"a@{A}", "")
    assert platform("linux/arm/v7") == oci.Platform(os="linux", architecture="arm", variant="v7")
    assert platform("").os == "linux"
    with pytest.raises(InvalidParameter):
        platform("a/b/c/d")


@pytest.mark.parametrize(
    "document",
    [
        {"config": {"Env": "x"}}, {"config": {"User": 5}}, {"config": {"Labels": ["a"]}}, {"created": "yesterday"},
        {"history": [{"created": "never"}]}, {"rootfs": {"diff_ids": ["x"]}}, {"rootfs": {"diff_ids": "x"}}, [], None,
        {"history": [{}, {}], "rootfs": {"diff_ids": [A]}}, {"history": [{}]},
    ],
)  # fmt: skip
def test_configs_refused(document: Any) -> None:
    with pytest.raises(InvalidParameter):
        oci.config(json.dumps(document).encode())


@pytest.mark.parametrize(
    "text",
    [b'{"config":{"Labels":{"a":"\\ud800"}}}', b'{"x":' + b"[" * 99 + b"]" * 99 + b"}", b'{"x":NaN}', b'{"a":1}x', b"\xff", b""],
)
def test_texts_refused(text: bytes) -> None:
    with pytest.raises(InvalidParameter):
        oci.config(text)


def test_progress_lines() -> None:
    assert progress.human_size(0) == "0B"
    assert progress.human_size(2_129_920) == "2.13MB"
    line = progress.step("Loading layer", "abc", 512, 1024)
    assert line["progress"] == "[=========================>                         ]     512B/1.024kB"
    assert progress.bar(2048, 1024) == "[==================================================>]  2.048kB"
    heard: list[dict[str, Any]] = []
    meter = progress.Meter(heard.append, "s", "i", 10)
    for count in range(11):
        meter.report(count)
    assert heard[0]["progressDetail"]["current"] == 0
    assert heard[-1]["progressDetail"]["current"] == 10
    assert len(heard) < 5
