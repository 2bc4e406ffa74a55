"""How much at a time, and how often: --max-concurrent-downloads, --max-concurrent-uploads and --max-download-attempts."""

import dataclasses
import os
import tarfile
import threading
import time
from typing import Any

import pytest

from dockwright.base.errors import EngineError


class Counted:
    """A rule that answers honestly but slowly, and counts how many answers are under way at once."""

    def __init__(self, registry: Any) -> None:
        self._registry, self._lock, self._now, self.most = registry, threading.Lock(), 0, 0

    def __call__(self, request: Any) -> None:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(0.1)
        self._registry.honest(request)
        with self._lock:
            self._now -= 1


@pytest.fixture
def layers(images: Any) -> list[bytes]:
    return [images.tar([(name, tarfile.REGTYPE, os.urandom(1000), 0o644)]) for name in "abcd"]


def limited(rig: Any, **limits: int) -> None:
    rig.settings = dataclasses.replace(rig.settings, **limits)


@pytest.mark.parametrize("most", [1, 3])
def test_downloads(overlay: Any, registry: Any, layers: list[bytes], most: int) -> None:
    registry.image(layers, "1")
    config = next(digest for digest, data in registry.blobs.items() if data.startswith(b"{"))
    counted = Counted(registry)
    registry.when(f"GET .*/blobs/(?!{config})", counted)
    limited(overlay, downloads=most)
    overlay.pull(f"{registry.host}/a")
    assert counted.most == most


@pytest.mark.parametrize("most", [1, 3])
def test_uploads(overlay: Any, registry: Any, layers: list[bytes], most: int) -> None:
    registry.image(layers, "1")
    overlay.pull(f"{registry.host}/a")
    registry.blobs.clear()
    counted = Counted(registry)
    registry.when("PATCH ", counted)
    limited(overlay, uploads=most)
    overlay.push(f"{registry.host}/a")
    assert counted.most == most


@pytest.mark.parametrize("attempts", [1, 3])
def test_attempts(overlay: Any, registry: Any, layers: list[bytes], attempts: int) -> None:
    registry.image(layers[:1], "1")
    layer = next(digest for digest, data in registry.blobs.items() if not data.startswith(b"{"))
    registry.when(f"GET .*/blobs/{layer}", lambda request: request.error(500, "UNKNOWN"))
    limited(overlay, attempts=attempts)
    with pytest.raises(EngineError):
        overlay.pull(f"{registry.host}/a")
    assert registry.count(f"GET .*/blobs/{layer}") == attempts
