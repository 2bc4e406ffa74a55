"""The server as a client sees it: framing, keep-alive, streams, hijack, disconnects, and malformed HTTP."""

import asyncio
import base64
import importlib.util
import json
import pathlib
import re

import pytest

_spec = importlib.util.spec_from_file_location("api_fakes", pathlib.Path(__file__).with_name("fakes.py"))
fakes = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(fakes)
DISABLED = (
    "This experimental feature is disabled by default. Start the Docker daemon in experimental mode in order to enable it."
)
parts, request, running = fakes.parts, fakes.request, fakes.running


def ask(tmp_path, data, **options):
    async def run():
        async with running(tmp_path) as server:
            return await server.ask(data, **options)

    return asyncio.run(run())


def test_ping_says_what_clients_negotiate_by(tmp_path):
    status, head, body = parts(ask(tmp_path, request("GET", "/_ping")))
    assert (status, body) == (200, b"OK")
    for line in (
        "Server: Docker/27.5.1 (linux)",
        "Api-Version: 1.47",
        "Ostype: linux",
        "Docker-Experimental: false",
        "Builder-Version: 1",
        "Swarm: inactive",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Length: 2",
        "Cache-Control: no-cache, no-store, must-revalidate",
    ):
        assert line in head


def test_head_ping_has_no_body(tmp_path):
    status, head, body = parts(ask(tmp_path, request("HEAD", "/v1.24/_ping")))
    assert (status, body) == (200, b"")
    assert "Content-Length: 0" in head


@pytest.mark.parametrize(
    ("target", "status", "message"),
    [
        ("/nothing", 404, "page not found"),
        ("/v1.47/nothing/at/all", 404, "page not found"),
        ("/containers", 404, "page not found"),
        (
            "/v1.99/_ping",
            400,
            "client version 1.99 is too new. Maximum supported API version is 1.47",
        ),
        (
            "/v1.23/info",
            400,
            "client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a "
            "newer version",
        ),
        ("/containers/nope/json", 404, "No such container: nope"),
        ("/containers/..%2f/json", 404, "No such container: ../"),
        ("/containers/%00/json", 400, "invalid character in path"),
        ("/containers/%zz/json", 400, 'invalid URL escape "%zz"'),
        ("/containers/json?all=1;b=2", 400, "invalid semicolon separator in query"),
        ("/containers/json?limit=x", 500, 'strconv.Atoi: parsing "x": invalid syntax'),
        ("/containers/json?filters=[]", 400, "invalid filter"),
        ("/containers/json?filters={%22a%22:1}", 400, "invalid filter"),
        ("/events?since=10&until=5", 400, "`since` time (10) cannot be after `until` time (5)"),
        ("/containers/web/logs", 400, "Bad parameters: you must choose at least one stream"),
        ("/containers/web/checkpoints", 501, DISABLED),
        ("/images/get?names=nope", 404, "No such image: nope:latest"),
    ],
)
def test_refusals(tmp_path, target, status, message):
    answer = parts(ask(tmp_path, request("GET", target)))
    assert answer[0] == status
    assert json.loads(answer[2]) == {"message": message}
    assert answer[2].endswith(b"\n")
    assert "Content-Type: application/json" in answer[1]


def test_swarm_is_refused_in_dockers_words(tmp_path):
    status, _, body = parts(ask(tmp_path, request("GET", "/v1.47/services")))
    assert status == 503
    assert json.loads(body)["message"].startswith('This node is not a swarm manager. Use "docker swarm init"')


def test_a_pull_passes_on_who_asks(tmp_path):
    header = base64.urlsafe_b64encode(b'{"username":"u","password":"p","serveraddress":"reg:5000"}').decode()
    target = "/images/create?fromImage=reg:5000/a&tag=1&platform=linux/arm64"
    fields = {"X_Registry_Auth": header, "User_Agent": "docker/27", "X_Meta_Run": "7"}
    status, _, body = parts(ask(tmp_path, request("POST", target, **fields)))
    assert status == 200
    assert b'{"status":"reg:5000/a 1 linux/arm64 u docker/27 7"}' in body


def test_a_pull_with_unreadable_credentials_has_none(tmp_path):
    _, _, body = parts(ask(tmp_path, request("POST", "/images/create?fromImage=a&tag=1", X_Registry_Auth="?")))
    assert b'{"status":"a 1    "}' in body


def test_json_is_escaped_as_go_does_it(tmp_path):
    _, _, body = parts(ask(tmp_path, request("GET", "/dockwright/v1/containers/web/trace")))
    assert b"\\u003crootfs\\u003e \\u0026 more" in body


def test_image_names_may_have_slashes(tmp_path):
    _, _, body = parts(ask(tmp_path, request("GET", "/v1.41/images/reg:5000/a/b:1/history")))
    assert json.loads(body) == [{"Id": "reg:5000/a/b:1"}]


def create(tmp_path, body, **fields):
    fields.setdefault("Content_Type", "application/json")
    status, _, answer = parts(ask(tmp_path, request("POST", "/containers/create?name=x", body, **fields)))
    return status, json.loads(answer)


def test_create_gets_the_version_and_the_name(tmp_path):
    async def run():
        async with running(tmp_path) as server:
            body = b'{"Image":"busybox"}'
            target = "/v1.41/containers/create?name=a%20b&platform=linux"
            answer = parts(await server.ask(request("POST", target, body, Content_Type="application/json")))
            return answer, server.containers.calls

    (status, _, body), calls = asyncio.run(run())
    assert status == 201
    assert json.loads(body) == {"Id": "a" * 64, "Warnings": []}
    assert calls == [("create", "a b", "busybox", "linux", (1, 41))]


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (b"", "application/json", "invalid JSON: got EOF while reading request body"),
        (b"{}", "application/json", "config cannot be empty in order to create a container"),
        (b"null", "application/json", "config cannot be empty in order to create a container"),
        (b'{"HostConfig":{}}', "application/json", "config cannot be empty in order to create a container"),
        (b"{} {}", "application/json", "unexpected content after JSON"),
        (b"{}", "text/plain", "unsupported Content-Type header (text/plain): must be 'application/json'"),
        (b"{}", "", "malformed Content-Type header (): mime: no media type"),
    ],
)
def test_bad_json_bodies(tmp_path, body, kind, message):
    assert create(tmp_path, body, Content_Type=kind) == (400, {"message": message})


@pytest.mark.parametrize(
    "body",
    [b"{", b"[", b'{"Image":5}', b'{"Image":1e9}', b"[" * 100_000, b'{"a":' * 100_000, b"\xff", b'{"Cmd":[1]}', b"NaN"],
)
def test_hostile_json_is_a_400(tmp_path, body):
    status, answer = create(tmp_path, body)
    assert status == 400
    assert answer["message"].startswith("invalid JSON")


def test_too_large_a_document_is_refused_before_it_is_parsed(tmp_path):
    status, answer = create(tmp_path, b" " * (9 << 20))
    assert (status, answer) == (413, {"message": "http: request body too large"})


HOST = b"Host: docker\r\n"
MALFORMED = {
    "bare line feeds": (b"GET /_ping HTTP/1.1\nHost: docker\n\n", 400),
    "one bare line feed": (b"GET /_ping HTTP/1.1\r\nHost: docker\nA: b\r\n\r\n", 400),
    "bare carriage return": (b"GET /_ping HTTP/1.1\r\nA: b\rc\r\n" + HOST + b"\r\n", 400),
    "folded line": (b"GET /_ping HTTP/1.1\r\nA: b\r\n c\r\n" + HOST + b"\r\n", 400),
    "NUL": (b"GET /_ping HTTP/1.1\r\nA: b\0\r\n" + HOST + b"\r\n", 400),
    "two lengths": (b"POST /x HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n" + HOST + b"\r\nab", 400),
    "two equal lengths": (b"POST /x HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n" + HOST + b"\r\na", 400),
    "length and chunks": (
        b"POST /x HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n" + HOST + b"\r\n0\r\n\r\n",
        400,
    ),
    "signed length": (b"POST /x HTTP/1.1\r\nContent-Length: +5\r\n" + HOST + b"\r\nabcde", 400),
    "negative length": (b"POST /x HTTP/1.1\r\nContent-Length: -5\r\n" + HOST + b"\r\n", 400),
    "other coding": (b"POST /x HTTP/1.1\r\nTransfer-Encoding: gzip\r\n" + HOST + b"\r\n", 501),
    "space before colon": (b"GET /_ping HTTP/1.1\r\nA : b\r\n" + HOST + b"\r\n", 400),
    "no host": (b"GET /_ping HTTP/1.1\r\n\r\n", 400),
    "no http": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "head of a megabyte": (b"GET /_ping HTTP/1.1\r\nA: " + b"b" * (1 << 20) + b"\r\n" + HOST + b"\r\n", 431),
    "endless head": (b"GET /_ping HTTP/1.1\r\nA: " + b"b" * (1 << 20), 431),
    "thousand fields": (b"GET /_ping HTTP/1.1\r\n" + b"A: b\r\n" * 1000 + HOST + b"\r\n", 431),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_heads_are_refused_and_the_connection_ends(tmp_path, name):
    data, expected = MALFORMED[name]
    status, head, _ = parts(ask(tmp_path, data + b"GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n"))
    assert status == expected
    assert "Connection: close" in head


@pytest.mark.parametrize(
    "chunks", [b"zz\r\nab\r\n", b"-1\r\n", b"2;" + b"x" * 200_000, b"1" * 30 + b"\r\n", b"1\r\nabc\r\n0\r\n\r\n"]
)
def test_malformed_chunks_are_a_400(tmp_path, chunks):
    data = request("POST", "/containers/create", Content_Type="application/json", Transfer_Encoding="chunked") + chunks
    status, head, _ = parts(ask(tmp_path, data))
    assert status == 400
    assert "Connection: close" in head


def test_an_id_of_a_hundred_thousand_characters(tmp_path):
    assert parts(ask(tmp_path, request("GET", "/containers/" + "a" * 100_000 + "/json")))[0] == 404


def test_pipelined_requests_are_answered_in_order(tmp_path):
    one = b"GET /containers/%d/json HTTP/1.1\r\nHost: docker\r\n\r\n"
    data = b"".join(one % number for number in range(20)) + request("GET", "/_ping")
    answer = ask(tmp_path, data)
    assert re.findall(rb"No such container: (\d+)", answer) == [b"%d" % number for number in range(20)]
    assert answer.endswith(b"OK")


def test_a_pipelined_request_after_a_body(tmp_path):
    first = request("POST", "/containers/web/kill", b"").replace(b"Connection: close\r\n", b"")
    assert parts(ask(tmp_path, first + request("GET", "/_ping")))[0] == 204


def test_http_1_0_closes(tmp_path):
    answer = ask(tmp_path, b"GET /_ping HTTP/1.0\r\n\r\n")
    assert answer.endswith(b"\r\n\r\nOK")


def test_expect_100_continue(tmp_path):
    async def run():
        async with running(tmp_path) as server:
            reader, writer = await server.connect()
            writer.write(b"POST /images/load HTTP/1.1\r\nHost: docker\r\nExpect: 100-continue\r\n")
            writer.write(b"Content-Length: 3\r\nConnection: close\r\n\r\n")
            first = await reader.readuntil(b"\r\n\r\n")
            writer.write(b"tar")
            answer = await reader.read()
            writer.close()
            return first, answer

    first, answer = asyncio.run(run())
    assert first == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert b"Loaded 3 bytes, quiet=True" in answer


def test_chunked_upload_and_progress(tmp_path):
    data = request("POST", "/images/load?quiet=0", Transfer_Encoding="chunked")
    status, head, body = parts(ask(tmp_path, data + b"3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\n\r\n"))
    assert status == 200
    assert "Transfer-Encoding: chunked" in head
    assert b"Loaded 5 bytes, quiet=False" in body
    assert body.endswith(b"0\r\n\r\n")


def test_an_error_in_progress_is_its_last_line(tmp_path):
    _, _, body = parts(ask(tmp_path, request("POST", "/images/load", b"bad tar")))
    text = "invalid archive: does not contain a manifest.json"
    assert json.dumps({"errorDetail": {"message": text}, "error": text}, separators=(",", ":")).encode() in body


def test_a_broken_stream_is_cut(tmp_path):
    async def run():
        async with running(tmp_path) as server:
            try:
                return await server.ask(request("GET", "/images/get?names=broken"))
            except ConnectionResetError:
                return b""

    assert not asyncio.run(run()).endswith(b"0\r\n\r\n")


def test_unread_body_gets_its_answer_and_the_end(tmp_path):
    data = request("POST", "/nothing", b"x" * 3_000_000)
    assert parts(ask(tmp_path, data))[0] == 404


def test_wait_sends_its_head_before_the_exit(tmp_path):
    async def run():
        async with running(tmp_path) as server:
            reader, writer = await server.connect()
            writer.write(request("POST", "/v1.47/containers/web/wait?condition=next-exit"))
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
            assert server.containers.calls == [("wait", "web", "next-exit")]
            server.containers.exit.set_result({"StatusCode": 3})
            body = await reader.read()
            writer.close()
            return head, body

    head, body = asyncio.run(run())
    assert b"200 OK" in head
    assert b'{"StatusCode":3}\n' in body


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("upgrade", [True, False])
def test_hijack_keeps_early_bytes_and_half_closes_both_ways(tmp_path, early, upgrade):
    async def run():
        async with running(tmp_path) as server:
            reader, writer = await server.connect()
            fields = {"Upgrade": "tcp"} if upgrade else {}
            data = request("POST", "/v1.47/containers/web/attach?stream=1&stdin=1&stdout=1", **fields)
            if upgrade:
                data = data.replace(b"Connection: close", b"Connection: Upgrade")
            if early:
                writer.write(data + b"early ")
                writer.write(b"late")
                writer.write_eof()
                head = await reader.readuntil(b"\r\n\r\n")
            else:
                writer.write(data)
                head = await reader.readuntil(b"\r\n\r\n")
                assert await reader.readexactly(6) == b"hello\n"
                writer.write(b"early late")
                writer.write_eof()
            body = await asyncio.wait_for(reader.read(), 5)
            writer.close()
            return head.decode(), body if early else b"hello\n" + body

    head, body = asyncio.run(run())
    assert body == b"hello\nEARLY LATEbye\n"
    if upgrade:
        assert head.startswith("HTTP/1.1 101 UPGRADED\r\n")
        assert "Connection: Upgrade\r\nUpgrade: tcp" in head
        assert "Content-Type: application/vnd.docker.multiplexed-stream" in head
    else:
        assert head.startswith("HTTP/1.1 200 OK\r\n")
        assert "Content-Type: application/vnd.docker.raw-stream" in head
    assert "Transfer-Encoding" not in head
    assert "Content-Length" not in head


def test_exec_start_hijacks_after_its_body(tmp_path):
    async def run():
        async with running(tmp_path) as server:
            body = b'{"Detach":false,"Tty":false}'
            data = request("POST", "/exec/e/start", body, Content_Type="application/json", Upgrade="tcp")
            return await server.ask(data.replace(b"Connection: close", b"Connection: Upgrade") + b"in", half_close=True)

    assert asyncio.run(run()).endswith(b"\r\n\r\nhello\nINbye\n")


def test_what_cannot_be_executed_is_told_as_output(tmp_path):
    data = request("POST", "/exec/broken/start", b'{"Detach":false}', Content_Type="application/json", Upgrade="tcp")
    status, _, body = parts(ask(tmp_path, data))
    text = b"OCI runtime exec failed: exec failed: no\r\n"
    assert (status, body) == (101, b"\x01\0\0\0" + len(text).to_bytes(4, "big") + text)


def test_what_cannot_be_executed_detached_is_an_error(tmp_path):
    data = request("POST", "/exec/broken/start", b'{"Detach":true}', Content_Type="application/json")
    assert parts(ask(tmp_path, data))[0] == 400


def test_refused_attach_is_plain_text(tmp_path):
    data = request("POST", "/containers/nope/attach?stream=1", Upgrade="tcp")
    status, head, body = parts(ask(tmp_path, data))
    assert (status, body) == (404, b"No such container: nope\r\n")
    assert "Content-Type: application/vnd.docker.raw-stream" in head


def test_logs_stream_and_end_with_the_client(tmp_path):
    async def run():
        async with running(tmp_path) as server:
            reader, writer = await server.connect()
            writer.write(request("GET", "/v1.47/containers/web/logs?stdout=1&follow=1"))
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"multiplexed-stream" in head
            assert await reader.readuntil(b"two\n") == b"4\r\none\n\r\n4\r\ntwo\n"
            writer.close()
            await asyncio.wait_for(server.containers.cancelled.wait(), 5)

    asyncio.run(run())


def test_stop_goes_on_when_the_client_has_left(tmp_path):
    async def run():
        async with running(tmp_path) as server:
            _, writer = await server.connect()
            writer.write(request("POST", "/containers/web/stop?t=5&signal=INT"))
            await asyncio.sleep(0.03)
            writer.close()
            await asyncio.wait_for(server.containers.stopped.wait(), 5)
            assert server.containers.calls == [("stop", "web", 5, "INT")]

    asyncio.run(run())


def test_events_flush_their_head_and_filter(tmp_path):
    async def run():
        async with running(tmp_path) as server:
            reader, writer = await server.connect()
            writer.write(request("GET", '/events?filters={"event":{"die":true}}'))
            await reader.readuntil(b"\r\n\r\n")
            server.events.publish("container", "start", "a")
            server.events.publish("container", "die", "a", {"image": "b"})
            line = await reader.readuntil(b"}\n")
            writer.close()
            return line

    assert b'"status":"die","id":"a","from":"b"' in asyncio.run(run())


def test_an_upload_that_breaks_off_ends_the_load(tmp_path):
    async def run():
        async with running(tmp_path) as server:
            _, writer = await server.connect()
            writer.write(request("POST", "/images/load", b"", Content_Length="100")[:])
            writer.write(b"half")
            await asyncio.sleep(0.03)
            writer.transport.abort()
            await asyncio.sleep(0.05)
            return server.images.loaded, len(asyncio.all_tasks())

    loaded, tasks = asyncio.run(run())
    assert loaded == b"half"
    assert tasks == 1


def test_a_client_that_never_reads_is_held_back(tmp_path):
    async def run():
        async with running(tmp_path) as server:
            produced = 0

            async def endless(ref, options):
                nonlocal produced
                while True:
                    produced += 1
                    yield b"x" * 65536

            server.containers.logs = endless
            _, writer = await server.connect()
            writer.write(request("GET", "/containers/web/logs?stdout=1&follow=1"))
            await asyncio.sleep(0.2)
            first = produced
            await asyncio.sleep(0.1)
            writer.transport.abort()
            return first, produced

    first, second = asyncio.run(run())
    assert first == second < 100


def test_stats_one_and_many(tmp_path):
    one = parts(ask(tmp_path, request("GET", "/containers/web/stats?stream=0")))
    assert json.loads(one[2]) == {"n": 1}


def test_stats_stream(tmp_path):
    many = parts(ask(tmp_path, request("GET", "/containers/web/stats")))
    assert b'{"n":1}\n' in many[2]
    assert b'{"n":2}\n' in many[2]


def test_start_refuses_a_body(tmp_path):
    status, _, body = parts(ask(tmp_path, request("POST", "/containers/web/start", b'{"Binds":["/:/x"]}')))
    assert status == 400
    assert json.loads(body)["message"].startswith("starting container with non-empty request body was deprecated")


def test_start_refuses_a_checkpoint(tmp_path):
    status, _, body = parts(ask(tmp_path, request("POST", "/containers/web/start?checkpoint=one")))
    assert (status, json.loads(body)["message"]) == (400, "checkpoint is only supported in experimental mode")


@pytest.mark.parametrize("query", ["h=-1&w=2", "h=x&w=2", "w=2", "h=65536&w=1", "h=1.5&w=1"])
def test_bad_sizes(tmp_path, query):
    assert parts(ask(tmp_path, request("POST", "/containers/web/resize?" + query)))[0] == 400


def test_old_clients_see_old_shapes(tmp_path):
    old = json.loads(parts(ask(tmp_path, request("GET", "/v1.40/containers/web/json")))[2])
    assert old["NetworkSettings"]["Networks"]["own"]["Aliases"] == ["a" * 12]
    assert old["HostConfig"]["CgroupnsMode"] == "host", "most newer fields are shown to old clients too, as dockerd does"


def test_new_clients_see_everything(tmp_path):
    new = json.loads(parts(ask(tmp_path, request("GET", "/containers/web/json")))[2])
    assert new["HostConfig"] == {"Annotations": {}, "CgroupnsMode": "host"}
    assert new["NetworkSettings"]["Networks"]["own"]["DNSNames"] == ["web"]


def test_unnamed_images_before_1_43(tmp_path):
    row = json.loads(parts(ask(tmp_path, request("GET", "/v1.42/images/json")))[2])[0]
    assert row["RepoTags"] == ["<none>:<none>"]
    assert row["VirtualSize"] == 5
