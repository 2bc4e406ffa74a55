"""For each flag of run and create the daemon is asked for the same by docker and by dockwright, byte for byte of JSON.

No daemon is needed: a recorder answers both. It also proves that no flag is accepted and ignored: what changes nothing in
what is asked must be one of the few that concern the command line alone.
"""

import importlib.util
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.usefixtures("docker28")
OURS = str(ROOT / ".venv/bin/dockwright")
SAMPLES = [line for line in (Path(__file__).parent / "run-flags.txt").read_text().splitlines() if not line.startswith("#")]
LOCAL = {"--cidfile", "--disable-content-trust", "-q", "--pull", "--init=false"}


def load(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


recording = load(ROOT / "tests/unit/cli/recording.py")


@pytest.fixture(scope="module", params=["1.47", "1.41"])
def daemon(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("r")
    (folder / "ENVFILE").write_text("# c\nA=b\n\nHOME\nUNSETXX\n B=c d\n")
    (folder / "LABELFILE").write_text("a=b\nc\n")
    (folder / "SECCOMP").write_text('{ "defaultAction": "SCMP_ACT_ALLOW" }')
    with recording.recorder(str(folder / "s"), request.param) as made:
        made.folder = folder
        made.experimental = request.param == "1.47"  # so that both are seen
        yield made


def ask(daemon: Any, program: str, arguments: list[str]) -> tuple[Any, int, str, str]:
    daemon.asked.clear()
    (daemon.folder / "CID").unlink(missing_ok=True)
    done = subprocess.run(
        [program, "-H", daemon.host, *arguments], cwd=daemon.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=30, check=False,
    )  # fmt: skip
    detached = "-d" in arguments  # docker waits even then
    asked = [request for request in daemon.asked if not (detached and "/wait" in request[1])]
    return asked, done.returncode, done.stdout, done.stderr.replace("dockwright", "docker")


@pytest.mark.parametrize("flags", SAMPLES)
def test_create_asks_for_the_same(daemon: Any, flags: str) -> None:
    arguments = ["create", *shlex.split(flags), "busybox", "true"]
    assert ask(daemon, OURS, arguments) == ask(daemon, "docker", arguments)


FEW = ["", "--rm", "--name n -e A=b", "-a stdout", "-a stdin -i", "-i", "-it", "--detach-keys ctrl-a"]


@pytest.mark.parametrize("flags", FEW)
@pytest.mark.parametrize("mode", ["", "-d"])
def test_run_asks_for_the_same(daemon: Any, flags: str, mode: str) -> None:
    arguments = ["run", *shlex.split(mode), *shlex.split(flags), "busybox", "true"]
    theirs, ours = ask(daemon, "docker", arguments), ask(daemon, OURS, arguments)
    assert sorted(ours[0], key=str) == sorted(theirs[0], key=str)
    assert ours[1:] == theirs[1:]


OTHERS = """
network create n
network create -d macvlan --subnet 10.1.0.0/16 --gateway 10.1.0.1 --ip-range 10.1.1.0/24 --aux-address h=10.1.0.9 -o a=b n
network create --label c=d --internal --attachable --ipv6 --ipam-driver x --ipam-opt e=f n
network create --subnet 10.1.0.0/16,10.2.0.0/16 --gateway 10.2.0.1 n
network create --ipv4=false --scope global --ingress n
network create --config-only n
network create --config-from x n
network create --gateway 10.1.0.1 n
network create --subnet 10.1.0.0/16 --subnet 10.1.1.0/24 n
network create --subnet 10.1.0.0/16 --ip-range 10.9.0.0/16 n
network create --subnet 10.1.0.0/16 --aux-address h=10.9.0.1 n
network connect --alias a --ip 1.2.3.4 --link x:y --link-local-ip 169.254.1.1 --driver-opt a=b --gw-priority 5 n web
network connect n web
network disconnect -f n web
network rm n m
network prune -f --filter until=5m
network prune
container prune -f --filter label=a
container prune
image prune -f
image prune -af --filter label=a
image prune
volume prune -f
volume prune -af
volume prune
update -m 100m --memory-swap -1 --cpus 1.5 --restart on-failure:3 --pids-limit 5 --cpuset-cpus 0 web other
update --restart x: web
update --restart on-failure:x web
update web
commit web
commit -a me -m x -c A -c B web repo/name
commit -p=false web a:b
commit web A
diff web
stop -t 5 web
restart -t 0 web
kill -s USR1 web
rm -f -v web
rename a b
pause a b
start a
start a b
start --checkpoint one --checkpoint-dir /kept web
checkpoint create --leave-running --checkpoint-dir /kept web one
checkpoint create web one
checkpoint ls web
checkpoint ls --checkpoint-dir /kept web
checkpoint rm --checkpoint-dir /kept web one
wait a
tag a b:c
tag a reg:5000/b
volume create --label a=b -d local -o x=y v
volume rm -f v
exec -e A=b -w /w -u u --privileged web true
exec -d -t web true
exec -i web cat
""".strip().splitlines()


LOOKS = [("GET", "/networks/n", None), ("GET", "/networks/m", None), ("GET", "/containers/web/json", None)]


@pytest.mark.parametrize("line", OTHERS)
def test_others_ask_for_the_same(daemon: Any, line: str) -> None:
    for _ in range(2):  # docker asks for some things without waiting for the answer, so that they come late
        theirs, ours = ask(daemon, "docker", shlex.split(line)), ask(daemon, OURS, shlex.split(line))
        asked = [sorted((filled(item) for item in outcome[0] if item not in LOOKS), key=str) for outcome in (ours, theirs)]
        if asked[0] == asked[1]:
            break
    assert asked[0] == asked[1]
    assert ours[1:] == theirs[1:]


def filled(request: tuple[str, str, Any]) -> tuple[str, str, Any]:
    """A request without the empty parameters some of docker's have."""
    path, mark, query = request[1].partition("?")
    if path.endswith("/update"):  # ours sends what was said, docker also all zeros
        return request[0], path, {name: value for name, value in request[2].items() if value}
    if path == "/networks/create":  # docker's subnets come in any order
        request[2]["IPAM"]["Config"].sort(key=str)
    return request[0], path + mark + "&".join(pair for pair in query.split("&") if not pair.endswith("=")), request[2]


def test_every_flag_changes_what_is_asked(daemon: Any) -> None:
    plain = ask(daemon, OURS, ["create", "busybox", "true"])
    for flags in SAMPLES:
        if shlex.split(flags)[0] not in LOCAL and flags not in ("--network default", "--restart no"):
            assert ask(daemon, OURS, ["create", *shlex.split(flags), "busybox", "true"]) != plain, flags


def test_every_flag_has_a_sample() -> None:
    options = load(ROOT / "src/dockwright/cli/options.py")
    given = set()
    for line in SAMPLES:
        for word in shlex.split(line):
            name = word.removeprefix("--").partition("=")[0] if word.startswith("--") else ""
            letter = options.CREATE_FLAGS.letters.get(word[1:2], "") if word.startswith("-") and not name else ""
            given.add(options.ALIASES.get(name, name) or letter)
    refused = {"help", "kernel-memory", "use-api-socket", "detach-keys", "quiet"}
    of_our_own = {"health-on-failure"}  # what it asks for: tests/api/run/test_health.py
    assert set(options.CREATE_FLAGS.kinds) - given <= refused | of_our_own
