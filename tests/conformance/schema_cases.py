"""Run by `scripts/conformance schema`, in an environment of its own: what schemathesis makes of a published API description is
asked of the daemon; no answer may be outside its schema, none a 500 but those that Docker gives too."""

import os
import re
from typing import Any

import pytest
import requests
import schemathesis
import yaml
from docker.transport import UnixHTTPAdapter
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import response_schema_conformance

SOCKET, VERSION, FILE = os.environ["SOCKET"], os.environ["API_VERSION"], os.environ["API_FILE"]
URL = f"http://localhost/v{VERSION}"
NAME, IMAGE, VOLUME = "conformance", "busybox:latest", "conformance"
# streams and uploads: what they answer is no document; a pull, a push and a search ask the network
OTHERS = (
    r"/(attach|attach/ws|events|session|build|push|load|get|export|archive|grpc)$"
    r"|^/exec/\{id\}/start|^/images/(create|search)$|^/plugins/create$"
)
# 500 is Docker's answer to these as well
DOCKERS = (
    r"invalid volume specification|invalid mode|invalid --security-opt|Invalid isolation|--storage-opt|Unknown option",
    r"failed to create task|error gathering device|could not select device driver|Couldn't find PID|ps: ",
    r"is not paused|Cannot restart container|cannot stop container|Cannot update|Invalid escape keys|did not receive an exit",
    r"strconv\.|cannot unmarshal|dial tcp",
    r"invalid (publish|expose|port|filter|reference)|timeout waiting|is not shared|not a shared mount|too many values",
)  # fmt: skip
session = requests.Session()
session.mount("http://localhost/", UnixHTTPAdapter(f"http+unix://{SOCKET}"))


def with_nulls(node: Any) -> Any:
    """The description with null allowed for lists, objects and numbers: Go's nil, which it does not speak of and Docker sends."""
    if isinstance(node, list):
        return [with_nulls(item) for item in node]
    if not isinstance(node, dict):
        return node
    found = {key: with_nulls(value) for key, value in node.items()}
    if "in" not in found and (found.get("type") in ("array", "object", "integer") or isinstance(found.get("properties"), dict)):
        found["x-nullable"] = True
    return found


def described() -> dict[str, Any]:
    """The description; parameters and bodies stay as they are."""
    with open(FILE, encoding="utf-8") as file:
        document: dict[str, Any] = yaml.safe_load(file)
    document["definitions"] = with_nulls(document["definitions"])
    for path in document["paths"].values():
        for operation in path.values():
            if isinstance(operation, dict) and "responses" in operation:
                operation["responses"] = with_nulls(operation["responses"])
    return document


schema = schemathesis.openapi.from_dict(described()).exclude(path_regex=OTHERS)


def ask(method: str, path: str, **fields: Any) -> requests.Response:
    return session.request(method, f"{URL}{path}", timeout=30, **fields)


def ready() -> None:
    """One container that runs, one volume."""
    found = ask("GET", f"/containers/{NAME}/json")
    if found.status_code == 404:
        body = {"Image": IMAGE, "Cmd": ["sleep", "10000"], "HostConfig": {"NetworkMode": "none"}}
        assert ask("POST", f"/containers/create?name={NAME}", json=body).status_code == 201
    if found.status_code == 200 and found.json()["State"]["Paused"]:
        ask("POST", f"/containers/{NAME}/unpause")
    ask("POST", f"/containers/{NAME}/start")
    ask("POST", "/volumes/create", json={"Name": VOLUME})


def made_real(case: Any) -> None:
    """Half of the time ask about something that is there."""
    parameters = case.path_parameters or {}
    for name, value in parameters.items():
        if len(str(value)) % 2:
            continue
        path = case.operation.path
        parameters[name] = IMAGE if path.startswith("/images") else VOLUME if path.startswith("/volumes") else NAME
        if path.startswith("/exec"):
            made = ask("POST", f"/containers/{NAME}/exec", json={"Cmd": ["true"]})
            parameters[name] = made.json().get("Id", "none")


def bounded(case: Any) -> None:
    """Nothing waits for ever."""
    query = dict(case.query or {})
    path = case.operation.path
    if path.endswith("/stats"):
        query["stream"] = "false"
    if path.endswith("/logs"):
        query["follow"] = "false"
    if path.endswith(("/stop", "/restart")):
        query["t"] = "0"
    case.query = query


@pytest.mark.timeout(170)
@schema.parametrize()
@settings(
    max_examples=int(os.environ.get("EXAMPLES", "6")), deadline=None, suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate], derandomize=True, database=None,
)  # fmt: skip
def test_operation(case: Any) -> None:
    ready()
    made_real(case)
    bounded(case)
    try:
        response = case.call(base_url=URL, session=session, timeout=12)
    except (requests.exceptions.Timeout, requests.exceptions.ConnectionError):
        assert case.operation.path.endswith("/wait"), "no answer"
        return
    text = response.text[:500]
    if response.status_code == 500:
        assert any(re.search(pattern, text) for pattern in DOCKERS), f"500: {text}"
    case.validate_response(response, checks=[response_schema_conformance])
