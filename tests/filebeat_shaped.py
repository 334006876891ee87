"""A sender that behaves on the wire as Filebeat 8 does, for where there is none: connects, publishes, resends.

It follows libbeat's Elasticsearch output: before the first batch ``GET /`` for the version and ``GET /_license``; then
gzipped ``_bulk`` requests of ``create`` actions. An item below 300 or with 409 is acknowledged, with 429 or 500 and
above sent again, any other dropped. Another status, or no answer at all, means connect anew and send the whole batch
again, the same bytes; 413 halves it. ``deaf`` is the share of requests whose answer it does not wait for.
"""

import gzip
import http.client
import json
import random
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Any

BACKOFF_S = 0.1
TIMEOUT_S = 10.0


class Unanswered(Exception):
    """No answer, or one that means: again."""


class FilebeatShaped:
    """One output; ``acked`` and ``dropped`` are the events in the order of their answers."""

    def __init__(self, port: int, credentials: str, *, deaf: float = 0.0, chance: random.Random | None = None) -> None:
        self._port, self._deaf = port, deaf
        self._chance = chance or random.Random(0)
        self._headers = {
            "Accept": "application/json",
            "Authorization": f"ApiKey {b64encode(credentials.encode()).decode()}",
            "User-Agent": "Elastic-filebeat/8.19.0 (linux; amd64)",
        }
        self._connection: http.client.HTTPConnection | None = None
        self.acked: list[dict[str, Any]] = []
        self.dropped: list[tuple[dict[str, Any], int]] = []
        self.resent = 0

    def publish(self, events: Sequence[dict[str, Any]], stop: Callable[[], bool] = lambda: False) -> None:
        """Send a batch until all of it is acknowledged or dropped."""
        batches = [list(events)]
        while batches and not stop():
            batch = batches.pop()
            try:
                status, answer = self._send(batch)
            except (OSError, http.client.HTTPException, Unanswered):
                self.close()
                time.sleep(BACKOFF_S)
                batches.append(batch)
                self.resent += 1
                continue
            if status == 413 and len(batch) > 1:
                batches += [batch[len(batch) // 2 :], batch[: len(batch) // 2]]
            elif again := self._collect(batch, answer):
                batches.append(again)

    def _send(self, batch: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
        lines = [line for event in batch for line in ({"create": {"_index": "filebeat-8.19.0"}}, event)]
        body = gzip.compress(b"".join(json.dumps(line).encode() + b"\n" for line in lines), 1, mtime=0)
        headers = {"Content-Type": "application/vnd.elasticsearch+json; compatible-with=8", "Content-Encoding": "gzip"}
        connection = self._connected()
        connection.request("POST", "/_bulk", body, {**self._headers, **headers})
        if self._chance.random() < self._deaf:
            raise Unanswered
        response = connection.getresponse()
        said = response.read()
        if response.status not in (200, 413):
            raise Unanswered(response.status, said)
        return response.status, json.loads(said)

    def _collect(self, batch: list[dict[str, Any]], answer: dict[str, Any]) -> list[dict[str, Any]]:
        """What is to be sent again."""
        again = []
        assert len(answer["items"]) == len(batch)
        for event, item in zip(batch, answer["items"], strict=True):
            status = item["create"]["status"]
            if status < 300 or status == 409:
                self.acked.append(event)
            elif status == 429 or status >= 500:
                again.append(event)
            else:
                self.dropped.append((event, status))
        return again

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is not None:
            return self._connection
        self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_S)
        version = self._ask(self._connection, "/")["version"]["number"]
        if int(version.split(".")[0]) < 8 or self._ask(self._connection, "/_license")["license"]["status"] != "active":
            raise Unanswered(version)
        return self._connection

    def _ask(self, connection: http.client.HTTPConnection, path: str) -> Any:
        connection.request("GET", path, headers=self._headers)
        response = connection.getresponse()
        said = response.read()
        if response.status >= 300:
            raise Unanswered(response.status, said)
        return json.loads(said)

    def close(self) -> None:
        """Let the connection go."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
