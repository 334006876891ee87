"""The HTTP intake: who may send what, how large, and what is answered when."""

import asyncio
import gzip
import socket
import sys
from contextlib import suppress
from hashlib import sha256

import httpx2
import pytest

from collectors.http_request import BODY_BYTES
from collectors.transports import http
from soc_model.problem import Problem

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

KEY = "correct horse"
BODY = b'{"EventID":1}\n{"EventID":2}'


@pytest.fixture
def intake(memory_intake, source):
    """An intake with one source, s1, whose key is KEY."""
    digest = sha256(KEY.encode()).hexdigest()
    return memory_intake(
        source(transport="http", format="windows_json", key_sha256=digest, settings={"hosts": ["logs.city.example"]}),
        source(id="keyless", transport="http", format="syslog"),
    )


async def _post(intake, path, body, headers):
    transport = httpx2.ASGITransport(app=http.application(intake))
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        return await client.post(path, content=body, headers=headers)


def post(intake, body=BODY, path="/v1/intake/s1", key=KEY, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if key is not None:
        named["Authorization"] = f"Bearer {key}"
    return asyncio.run(_post(intake, path, body, named))


def test_records_are_durable_when_the_answer_comes(intake):
    answer = post(intake)
    assert (answer.status_code, answer.json()) == (200, {"records": 2})
    (chunk,) = intake.chunks
    assert chunk.records == BODY.split(b"\n") and (chunk.source_id, chunk.format) == ("s1", "windows_json")
    assert intake.requests == {sha256(b"s1\0" + BODY).digest()}
    assert intake.counters["s1", "records"] == 2


def test_a_repeated_request_is_acknowledged_and_not_counted_again(intake):
    assert [post(intake).json(), post(intake).json()] == [{"records": 2}, {"records": 2}]
    assert len(intake.chunks) == 1 and intake.counters["s1", "records"] == 2


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_compressed_bodies(intake, encoding):
    compress = gzip.compress if encoding == "gzip" else zstd.compress
    body = compress(BODY[:14]) + compress(BODY[14:])  # two members, as log shippers send them
    assert post(intake, body, content_encoding=encoding).json() == {"records": 2}
    assert intake.records == BODY.split(b"\n")


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"key": None}, 401),
        ({"key": "wrong"}, 401),
        ({"key": ""}, 401),
        ({"key": "é"}, 401),
        ({"path": "/v1/intake/keyless"}, 401),
        ({"path": "/v1/intake/nobody"}, 404),
        ({"origin": "https://evil.example"}, 403),
        ({"host": "evil.example"}, 400),
        ({"host": "evil.example:8080"}, 400),
        ({"content_type": "image/png"}, 415),
        ({"content_encoding": "br"}, 415),
        ({"content_encoding": "gzip", "body": b"no gzip"}, 400),
        ({"content_encoding": "gzip", "body": gzip.compress(BODY)[:-9]}, 400),
        ({"content_encoding": "zstd", "body": b"\x28\xb5\x2f\xfd"}, 400),
        ({"content_encoding": "gzip", "body": gzip.compress(b"") * 100}, 400),
        ({"body": b"x" * (BODY_BYTES + 1)}, 413),
        ({"content_encoding": "gzip", "body": gzip.compress(bytes(BODY_BYTES + 1))}, 413),
        ({"content_encoding": "zstd", "body": zstd.compress(bytes(100 * BODY_BYTES))}, 413),
    ],
)
def test_what_is_refused(intake, given, status):
    if "key" in given and given["key"] == "é":
        given = {"key": None, "authorization": "Bearer é".encode()}
    answer = post(intake, **given)
    assert answer.status_code == status and intake.chunks == []
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status and answer.json()["title"]
    known = given.get("path", "/v1/intake/s1") != "/v1/intake/nobody"
    assert sum(intake.counters.values()) == known


@pytest.mark.parametrize("host", ["127.0.0.1:8514", "[::1]:8514", "localhost", "LOGS.city.example:8514", "192.0.2.7"])
def test_allowed_hosts(intake, host):
    assert post(intake, host=host).status_code == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_only_post_is_taken(intake, method):
    async def ask():
        transport = httpx2.ASGITransport(app=http.application(intake))
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, "/v1/intake/s1")

    assert asyncio.run(ask()).status_code == 405


def test_a_full_journal_says_when_to_come_again(intake):
    intake.full = 1
    answer = post(intake)
    assert answer.status_code == 429 and answer.headers["retry-after"] == "1"
    assert post(intake).status_code == 200


def test_a_body_of_unknown_length_is_stopped_at_the_cap(intake):
    async def pieces():
        for _ in range(200):
            yield b"x" * 65536

    assert post(intake, pieces()).status_code == 413


async def streamed(body):
    yield body[:10]
    yield body[10:]


async def _post_while_another_waits(intake, body, headers):
    arrived, durable, append = asyncio.Event(), asyncio.Event(), intake.append

    async def waiting(*given):
        arrived.set()
        await durable.wait()
        return await append(*given)

    intake.append = waiting
    transport = httpx2.ASGITransport(app=http.application(intake))
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers) as client:
        first = asyncio.create_task(client.post("/v1/intake/s1", content=body()))
        await arrived.wait()
        second = await client.post("/v1/intake/s1", content=body())
        durable.set()
        return [(await first).status_code, second, (await client.post("/v1/intake/s1", content=body())).status_code]


@pytest.mark.parametrize(
    ("body", "encoding"),
    [(lambda: BODY, "identity"), (lambda: streamed(BODY), "identity"), (lambda: gzip.compress(BODY * 4), "gzip")],
)
def test_bytes_on_their_way_are_bounded_and_given_back(intake, monkeypatch, body, encoding):
    monkeypatch.setattr(http, "IN_FLIGHT_BYTES", len(BODY) + 10 if encoding == "identity" else 200)
    headers = {"Authorization": f"Bearer {KEY}", "Content-Encoding": encoding}
    first, second, third = asyncio.run(_post_while_another_waits(intake, body, headers))
    assert (first, third) == (200, 200)
    assert second.status_code == 429 and second.headers["retry-after"] == "1" and "on their way" in second.text


@pytest.mark.parametrize("path", ["/v1/intake/s1", "/_bulk"])
def test_nobody_waits_for_a_sender_that_has_gone(intake, path):
    waiting, given_up = asyncio.Event(), asyncio.Event()
    body = b'{"create":{}}\n{"EventID":1}\n'

    async def append(*_):
        waiting.set()
        try:
            await asyncio.Event().wait()
        finally:
            given_up.set()

    async def receive():
        if not waiting.is_set() and not body_sent:
            body_sent.append(1)
            return {"type": "http.request", "body": body, "more_body": False}
        await waiting.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    async def scenario():
        headers = [(b"host", b"127.0.0.1"), (b"authorization", f"Bearer {KEY}".encode())]
        scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers}
        await asyncio.wait_for(http.application(intake)(scope, receive, send), 10)

    intake.append, body_sent, sent = append, [], []
    asyncio.run(scenario())
    assert given_up.is_set() and sent[0]["status"] == 499 and not intake.counters


def test_a_request_that_is_not_kept_is_not_counted(intake):
    intake.full = 1
    post(intake)
    assert intake.counters == {("s1", "refused"): 1}


def test_an_empty_body_holds_no_records(intake):
    assert post(intake, b"").json() == {"records": 0}
    assert post(intake, b"\n\r\n").json() == {"records": 0}


def test_an_oversize_record_is_counted(intake):
    assert post(intake, b"x" * 2_000_000).json() == {"records": 1}
    assert intake.counters["s1", "oversize"] == 1 and intake.chunks[0].oversize[0].length_bytes == 2_000_000


def test_large_bodies_become_chunks_of_journal_size(intake):
    post(intake, b'{"EventID":1,"Pad":"%s"}\n' % (b"x" * 1000) * 3000)
    assert len(intake.records) == 3000 and max(chunk.size_bytes for chunk in intake.chunks) < 300_000


def test_an_unknown_format_is_refused_at_the_start(memory_intake, source):
    with pytest.raises(Problem, match="nothing"):
        http.application(memory_intake(source(format="nothing")))


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def test_the_server_answers_on_its_port_and_stops_when_cancelled(intake):
    port = free_port()

    async def scenario():
        task = asyncio.create_task(http.run(intake, f"127.0.0.1:{port}"))
        async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}, trust_env=False) as client:
            for _ in range(200):
                with suppress(httpx2.ConnectError):
                    answer = await client.post(f"http://127.0.0.1:{port}/v1/intake/s1", content=BODY)
                    break
                await asyncio.sleep(0.02)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.wait_for(task, 10)
        return answer

    assert asyncio.run(scenario()).json() == {"records": 2}
    socket.create_server(("127.0.0.1", port)).close()


@pytest.mark.parametrize("listen", ["127.0.0.1:notaport", "256.0.0.1:1", "127.0.0.1:99999"])
def test_a_port_that_cannot_be_had_is_a_problem(intake, listen):
    with pytest.raises(Problem, match="cannot listen"):
        asyncio.run(http.run(intake, listen))
