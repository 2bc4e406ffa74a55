"""A daemon for the documentation's examples: that of tests/api."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def daemon() -> Iterator[Any]:
    """One for each page, so that no page needs another."""
    spec = importlib.util.spec_from_file_location("api_conftest", ROOT / "tests/api/conftest.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    daemon = module.Daemon()
    daemon.start()
    made = module.images()
    loaded = daemon.docker("load", stdin=made.docker_archive([made.busybox_layer()], ["busybox:latest"]))
    assert not loaded.returncode, loaded
    yield daemon
    daemon.close()
