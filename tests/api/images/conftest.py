"""Fixtures for images by real clients."""

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def images() -> Any:
    """tests/images.py as a module."""
    spec = importlib.util.spec_from_file_location("test_images", TESTS / "images.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def peer(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """The path of another program; a test that lacks it is skipped, or fails with --require-peers."""

    def find(program: str) -> str:
        path = shutil.which(program)
        if path is None:
            report = pytest.fail if request.config.getoption("--require-peers") else pytest.skip
            report(f"needs {program}")
        return str(path)

    return find
