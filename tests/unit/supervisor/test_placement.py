"""Where the engine and its containers are in the cgroup tree, with systemd and without."""

import pytest

from dockwright.base.errors import InvalidParameter
from dockwright.supervisor import placement, systemd
from dockwright.supervisor.placement import CGROUPFS, SYSTEMD, Placement, check_parent, whole

IDENT = "ab" * 32


@pytest.fixture(params=[True, False], ids=["systemd", "alone"])
def booted(request, monkeypatch) -> bool:
    monkeypatch.setattr(systemd, "booted", lambda: request.param)
    return request.param


def test_the_default_places(booted: bool) -> None:
    places = Placement("/run/dockwright")
    ours = "/system.slice/dockwright.scope"
    assert places.engine == (f"{ours}/engine" if booted else "/dockwright/engine")
    assert places.cgroup(IDENT, "") == (f"{ours}/{IDENT}" if booted else f"/docker/{IDENT}")
    assert places.cgroup(IDENT, "/mine/") == places.cgroup(IDENT, "mine") == f"/mine/{IDENT}"


def test_daemons_with_exec_roots_of_their_own_have_scopes_of_their_own(monkeypatch) -> None:
    monkeypatch.setattr(systemd, "booted", lambda: True)
    scopes = {Placement(root).engine for root in ("/run/dockwright", "/tmp/a", "/tmp/b")}
    assert len(scopes) == 3


def test_a_parent_of_the_daemons(booted: bool) -> None:
    assert Placement("/e", CGROUPFS, "/all").cgroup(IDENT, "") == f"/all/{IDENT}"
    assert Placement("/e", CGROUPFS, "/all").cgroup(IDENT, "/one") == f"/one/{IDENT}"


def test_a_scope_for_each_container() -> None:
    places = Placement("/e", SYSTEMD)
    assert places.cgroup(IDENT, "") == f"/system.slice/docker-{IDENT}.scope/container"
    assert places.cgroup(IDENT, "a-b.slice") == f"/a.slice/a-b.slice/docker-{IDENT}.scope/container"
    assert places.cgroup(IDENT, "-.slice") == f"/docker-{IDENT}.scope/container"
    step = places.scope_of(IDENT, "", 1)
    assert step.describe() == f"ask systemd for docker-{IDENT}.scope in system.slice, delegated"


def test_what_goes_with_a_container() -> None:
    assert whole(f"/system.slice/docker-{IDENT}.scope/container") == f"/system.slice/docker-{IDENT}.scope"
    assert whole(f"/docker/{IDENT}") == f"/docker/{IDENT}"
    assert whole("/x/container") == "/x/container"


@pytest.mark.parametrize("parent", ["/x", "x", ".slice", "a/b.slice"])
def test_parents_that_are_no_slices(parent: str) -> None:
    check_parent(CGROUPFS, parent)
    with pytest.raises(InvalidParameter, match='named as "xxx'):
        check_parent(SYSTEMD, parent)


def test_where_it_cannot_be_done_the_daemon_goes_on(booted: bool, monkeypatch, caplog) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("read-only")

    monkeypatch.setattr(systemd, "start_scope", refuse)
    monkeypatch.setattr(placement.Cgroup, "create", refuse)
    places = Placement("/e")
    places.settle(1)
    assert "stay in the daemon's cgroup: read-only" in caplog.text
    assert ("does not give us a scope: read-only" in caplog.text) == booted
    assert places.cgroup(IDENT, "") == f"/docker/{IDENT}"
