"""Elasticsearch's protocol on the intake: who may ask and send, what is answered, and what is kept when."""

import asyncio
import gzip
import json
from base64 import b64encode
from hashlib import sha256

import httpx2
import pytest

from collectors.transports import http

KEYS = {"s1": "correct horse", "s2": "battery staple", "s3": "shared", "s4": "shared", "raw": "evtx key"}
DOCUMENTS = [b'{"message":"one"}', b'{"message":"two"}']
BULK = b"".join(b'{"create":{"_index":"logs"}}\n%s\n' % document for document in DOCUMENTS)


@pytest.fixture
def intake(memory_intake, source):
    """An intake with sources of JSON lines, and one (raw) whose format is not."""
    return memory_intake(
        *(
            source(
                id=name,
                transport="http",
                format="evtx" if name == "raw" else "json",
                key_sha256=sha256(key.encode()).hexdigest(),
            )
            for name, key in KEYS.items()
        )
    )


def basic(name, key=None):
    return f"Basic {b64encode(f'{name}:{key or KEYS[name]}'.encode()).decode()}"


def api_key(name, key=None):
    return f"ApiKey {b64encode(f'{name}:{key or KEYS[name]}'.encode()).decode()}"


async def _ask(intake, method, path, body, headers):
    transport = httpx2.ASGITransport(app=http.application(intake))
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        return await client.request(method, path, content=body, headers=headers)


def ask(intake, path="/_bulk", body=BULK, method="POST", authorization=None, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    named["Authorization"] = basic("s1") if authorization is None else authorization
    return asyncio.run(_ask(intake, method, path, body, named))


@pytest.mark.parametrize("path", ["/_bulk", "/logs/_bulk", "/es/_bulk", "/es/logs/_bulk", "/_bulk?filter_path=errors"])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_documents_become_records_and_every_item_is_answered(intake, path, method):
    answer = ask(intake, path, method=method, content_type="application/x-ndjson")
    assert (answer.status_code, answer.json()["errors"]) == (200, False)
    assert [item["create"]["status"] for item in answer.json()["items"]] == [201, 201]
    assert answer.headers["x-elastic-product"] == "Elasticsearch"
    assert intake.records == DOCUMENTS and intake.counters == {("s1", "records"): 2}


@pytest.mark.parametrize(
    ("authorization", "source_id"),
    [
        (basic("s1"), "s1"),
        (basic("s2"), "s2"),
        (api_key("s2"), "s2"),
        (f"Bearer {KEYS['s2']}", "s2"),
        (basic("s4"), "s4"),
    ],
)
def test_the_key_decides_the_source(intake, authorization, source_id):
    assert ask(intake, "/s1/_bulk", authorization=authorization).status_code == 200
    assert {chunk.source_id for chunk in intake.chunks} == {source_id}


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Basic",
        "Basic ???",
        "Basic " + b64encode(b"no colon").decode(),
        "ApiKey " + b64encode(b"\xff\xfe:x").decode(),
        basic("s1", KEYS["s2"]),
        basic("nobody", KEYS["s2"]),
        "Bearer wrong",
        "Bearer shared",
        "Digest x",
    ],
)
@pytest.mark.parametrize(("method", "path"), [("POST", "/_bulk"), ("GET", "/"), ("GET", "/_license")])
def test_nobody_else_is_answered(intake, authorization, method, path):
    answer = ask(intake, path, method=method, authorization=authorization)
    assert answer.status_code == 401 and answer.json()["error"]["type"] == "security_exception"
    assert answer.headers["www-authenticate"].startswith("Basic") and intake.chunks == []


def test_a_wrong_key_is_counted_with_the_source_it_names(intake):
    ask(intake, authorization=basic("s1", "wrong"))
    ask(intake, authorization="Bearer wrong")
    assert intake.counters == {("s1", "refused"): 1}


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_a_request_that_comes_again_is_answered_and_dropped(intake, encoding):
    body = gzip.compress(BULK) if encoding == "gzip" else BULK
    first = ask(intake, body=body, content_encoding=encoding).json()["items"]
    assert ask(intake, body=gzip.compress(BULK, 1), content_encoding="gzip").json()["items"] == first
    assert intake.records == DOCUMENTS and intake.counters["s1", "records"] == 2


async def _twice(intake, body):
    """The same request twice in one life; the fake's own memory of requests is taken away in between."""
    transport = httpx2.ASGITransport(app=http.application(intake))
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        for _ in range(2):
            answer = await client.post("/_bulk", content=body, headers={"Authorization": basic("s1")})
            intake.requests.clear()
    return answer


@pytest.mark.parametrize(
    ("documents", "kept"),
    [
        ([b'{"@timestamp":"2026-03-02T08:52:00Z"}', b'{"timestamp":5}'], 1),
        ([b'{"@timestamp":"2026-03-02T08:52:00Z"}', b'{"status":"up"}'], 2),
    ],
)
def test_answered_requests_are_known_only_by_documents_that_say_their_time(intake, documents, kept):
    body = b"".join(b'{"index":{}}\n%s\n' % document for document in documents)
    answer = asyncio.run(_twice(intake, body))
    assert len(answer.json()["items"]) == 2 and answer.json()["errors"] is False
    assert intake.records == documents * kept
    assert intake.counters["s1", "redelivered"] == (2 if kept == 1 else 0)


def test_the_same_request_of_another_source_is_another_request(intake):
    ask(intake)
    ask(intake, authorization=basic("s2"))
    ask(intake, "/other/_bulk")
    assert [chunk.source_id for chunk in intake.chunks] == ["s1", "s2", "s1"]


def test_a_full_journal_says_when_to_come_again(intake):
    intake.full = 1
    answer = ask(intake)
    assert answer.status_code == 429 and answer.headers["retry-after"] == "1"
    assert answer.json()["error"]["type"] == "es_rejected_execution_exception" and intake.chunks == []
    assert ask(intake).status_code == 200 and intake.records == DOCUMENTS


def test_broken_framing_keeps_nothing_and_names_the_line(intake):
    answer = ask(intake, body=BULK + b"{broken\n")
    assert answer.status_code == 400 and "line 5" in answer.json()["error"]["reason"]
    assert intake.chunks == [] and intake.counters == {("s1", "refused"): 1}


def test_refused_items_are_counted_and_the_others_kept(intake):
    answer = ask(intake, body=BULK + b'{"delete":{"_id":"1"}}\n').json()
    assert [next(iter(item.values()))["status"] for item in answer["items"]] == [201, 201, 400]
    assert intake.records == DOCUMENTS and intake.counters == {("s1", "records"): 2, ("s1", "refused"): 1}


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"origin": "https://evil.example"}, 403),
        ({"host": "evil.example"}, 400),
        ({"content_type": "image/png"}, 415),
        ({"content_encoding": "gzip"}, 400),
        ({"content_encoding": "gzip", "body": gzip.compress(bytes(20_000_000))}, 413),
        ({"body": b'{"delete":{}}\n' * 50_001}, 413),
        ({"authorization": basic("raw")}, 400),
    ],
)
def test_what_is_refused(intake, given, status):
    answer = ask(intake, **given)
    assert (answer.status_code, answer.json()["status"], intake.chunks) == (status, status, [])


def test_only_actions_without_documents_are_answered_too(intake):
    assert ask(intake, body=b"").json()["items"] == []
    assert ask(intake, body=b'{"delete":{}}\n').json()["errors"] is True
    assert intake.chunks == []


@pytest.mark.parametrize("prefix", ["", "/es"])
def test_what_shippers_ask_before_they_send(intake, prefix):
    def said(path):
        return ask(intake, prefix + path, b"", "GET").json()

    major, minor, patch = said("/")["version"]["number"].split(".")
    assert int(major) >= 8 and minor.isdecimal() and patch.isdecimal()
    assert said("/_license")["license"]["status"] == "active"
    assert said("/_cluster/health")["status"] == "green"
    assert list(said("/_ingest/pipeline/winlogbeat-routing")) == ["winlogbeat-routing"]
    head = ask(intake, prefix + "/", b"", "HEAD")
    assert (head.status_code, head.content, head.headers["x-elastic-product"]) == (200, b"", "Elasticsearch")


def test_elasticsearch_media_types_are_taken(intake):
    media = "application/vnd.elasticsearch+x-ndjson; compatible-with=8"
    assert ask(intake, content_type=media).status_code == 200


@pytest.mark.parametrize("authorization", [basic("s1"), api_key("s1"), f"Bearer {KEYS['s1']}"])
def test_the_plain_intake_takes_the_same_credentials(intake, authorization):
    assert ask(intake, "/v1/intake/s1", DOCUMENTS[0], authorization=authorization).json() == {"records": 1}
    assert ask(intake, "/v1/intake/s2", DOCUMENTS[0], authorization=authorization).status_code == 401


def test_an_answer_is_json_that_names_its_product(intake):
    answer = ask(intake)
    assert answer.headers["content-type"] == "application/json" and json.loads(answer.content)["took"] >= 0
