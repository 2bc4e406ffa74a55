"""Which suites there are: where their sources are, what they need, which of their tests are about us."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Suite:
    """A test suite of others.

    Attributes:
        repository: of git. version: the tag that is run unless another one is asked for.
        requirements: Python packages, beside the suite's own ({version} is that of the tag). tests: files or folders.
        environment: what its tests want to be told ({host} is the daemon's address).
        baseline: results of dockerd to compare with, beside this file; "" for none.
    """

    name: str
    repository: str
    version: str
    requirements: tuple[str, ...]
    tests: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    baseline: str = ""

    @property
    def variable(self) -> str:
        """The environment variable that names another place of the sources."""
        return f"CONFORMANCE_{self.name.upper().replace('-', '_')}"


_DOCKER_PY = (
    "api_client", "api_container", "api_exec", "api_healthcheck", "api_image", "api_network", "api_volume", "client", "errors",
    "models_containers", "models_images", "models_networks", "models_resources", "models_volumes", "regression",
)  # fmt: skip

SUITES = {
    suite.name: suite
    for suite in (
        Suite(
            "docker-py", "https://github.com/docker/docker-py", "7.1.0",
            ("docker=={version}", "websocket-client", "paramiko", "pytest<9", "pytest-timeout"),
            tuple(f"tests/integration/{name}_test.py" for name in _DOCKER_PY),
            {"DOCKER_HOST": "{host}"}, "docker-py-dockerd-26.1.5.txt",
        ),
    )
}  # fmt: skip
