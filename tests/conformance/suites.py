"""Which suites there are: where their sources are, what they need, which of their tests are about us."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Suite:
    """A test suite of others, run by pytest.

    Attributes:
        repository: of git. version: that is run unless another one is asked for. tag: of the repository.
        requirements: Python packages, beside the suite's own ({version} is that of the tag). tests: files or folders.
        environment: what its tests want to be told ({host} is the daemon's address).
    """

    name: str
    repository: str
    version: str
    requirements: tuple[str, ...]
    tests: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    tag: str = "{version}"

    @property
    def variable(self) -> str:
        """The environment variable that names another place of the sources."""
        return f"CONFORMANCE_{self.name.upper().replace('-', '_')}"


_DOCKER_PY = (
    "api_client", "api_container", "api_exec", "api_healthcheck", "api_image", "api_network", "api_volume", "client", "errors",
    "models_containers", "models_images", "models_networks", "models_resources", "models_volumes", "regression",
)  # fmt: skip
_TESTCONTAINERS = (
    "container", "core", "core_ports", "docker_client", "exec", "inspect", "labels", "network", "new_docker_api",
    "protocol_compliance", "transferable", "utils", "wait_strategies", "wait_strategies_integration", "waiting_utils",
)  # fmt: skip

SUITES = {
    suite.name: suite
    for suite in (
        Suite(
            "docker-py", "https://github.com/docker/docker-py", "7.1.0",
            ("docker=={version}", "websocket-client", "paramiko", "pytest<9", "pytest-timeout"),
            tuple(f"tests/integration/{name}_test.py" for name in _DOCKER_PY),
            {"DOCKER_HOST": "{host}"},
        ),
        Suite(
            "testcontainers", "https://github.com/testcontainers/testcontainers-python", "4.15.0",
            ("testcontainers=={version}", "pytest<9", "pytest-timeout", "pytest-mock", "httpx", "requests", "paramiko", "bcrypt"),
            tuple(f"tests/core/test_{name}.py" for name in _TESTCONTAINERS),
            {"DOCKER_HOST": "{host}", "TESTCONTAINERS_RYUK_DISABLED": "true", "TESTCONTAINERS_HOST_OVERRIDE": "localhost"},
            "testcontainers-v{version}",
        ),
    )
}  # fmt: skip
