"""The images of tests/images.py."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def images() -> Any:
    """tests/images.py as a module."""
    spec = importlib.util.spec_from_file_location("test_images", Path(__file__).parents[2] / "images.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
