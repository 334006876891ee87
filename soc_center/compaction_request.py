"""A compaction asked of the archiver, the only writer of the manifest: a small file that asks, and one that answers.

``run/compact/ID.request.json`` is renewed by whoever asks for as long as the answer is wanted; one that was left over
expires and goes. ``ID.answer.json`` is replaced by the archiver as it goes along. Both are there whole or not at all.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import msgspec

from soc_center.wake import wake
from soc_model.problem import Problem

VERSION = 1
LEASE_US = 30_000_000
RENEW_S = 5.0
SILENT_S = 60.0
PAUSE_S = 0.2
FILE_BYTES = 1 << 20
_ASKED, _ANSWERED = ".request.json", ".answer.json"
T = TypeVar("T")


class CompactionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody asks for a compaction of all that can be merged; worth nothing after ``until`` (µs)."""

    v: int = VERSION
    id: str
    at: int
    until: int


class CompactionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How far a compaction is: ``done`` of ``total`` places (a kind, layer and day) were looked at, as of ``at`` (µs).

    ``replaced`` segments became ``merges``. Before and after: segments that searches see, and their bytes.
    """

    v: int = VERSION
    id: str
    at: int
    complete: bool = False
    done: int = 0
    total: int = 0
    merges: int = 0
    replaced: int = 0
    segments_before: int = 0
    segments_after: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    problems: list[str] = []


class CompactionRequests:
    """The folder of requests and answers."""

    def __init__(self, run: Path) -> None:
        self._folder = run / "compact"

    def put(self, request: CompactionRequest) -> None:
        """Ask, or go on asking."""
        self._write(f"{request.id}{_ASKED}", request)

    def answer(self, of: str) -> CompactionAnswer | None:
        """The last answer to a request."""
        return _read(self._folder / f"{of}{_ANSWERED}", CompactionAnswer)

    def withdraw(self, of: str) -> None:
        """Take a request back, with its answer."""
        for ending in (_ASKED, _ANSWERED):
            (self._folder / f"{of}{ending}").unlink(missing_ok=True)

    def first(self, now: int) -> CompactionRequest | None:
        """The oldest request that still wants an answer; what expired or cannot be read is removed."""
        found = []
        for path in self._files():
            of = path.name.removesuffix(_ASKED).removesuffix(_ANSWERED)
            if self.is_wanted(of, now):
                found.append(of)
            else:
                self.withdraw(of)
        requests = [one for of in sorted(set(found)) if (one := self._request(of)) and not self._is_answered(of)]
        return min(requests, key=lambda one: one.at, default=None)

    def is_wanted(self, of: str, now: int) -> bool:
        """Whether a request is there and has not expired."""
        request = self._request(of)
        return request is not None and request.v == VERSION and now <= request.until <= now + 2 * LEASE_US

    def put_answer(self, answer: CompactionAnswer) -> None:
        """Answer a request."""
        self._write(f"{answer.id}{_ANSWERED}", answer)

    def _files(self) -> list[Path]:
        try:
            return [path for path in self._folder.iterdir() if path.name.endswith((_ASKED, _ANSWERED))]
        except FileNotFoundError:
            return []

    def _request(self, of: str) -> CompactionRequest | None:
        return _read(self._folder / f"{of}{_ASKED}", CompactionRequest)

    def _is_answered(self, of: str) -> bool:
        answer = self.answer(of)
        return answer is not None and answer.complete

    def _write(self, name: str, content: msgspec.Struct) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        made = self._folder / f"{name}.new"
        made.write_bytes(msgspec.json.encode(content))
        made.replace(self._folder / name)


def request_compaction(
    run: Path,
    now: Callable[[], int],
    progress: Callable[[int, int, str], None],
    *,
    time_s: float,
    silent_s: float = SILENT_S,
) -> CompactionAnswer:
    """What the archiver made of a request, complete or what there is of it after ``time_s``.

    ``progress`` is called several times a second; what it raises takes the request back. ``Problem`` when the archiver
    says nothing for ``silent_s``.
    """
    requests, of, begun = CompactionRequests(run), uuid4().hex, time.monotonic()
    heard, renewed, last = begun, begun - RENEW_S, CompactionAnswer(id=of, at=0)
    asked = now()
    try:
        while not last.complete and time.monotonic() - begun < time_s:
            if time.monotonic() - renewed >= RENEW_S:
                renewed = time.monotonic()
                requests.put(CompactionRequest(id=of, at=asked, until=now() + LEASE_US))
                wake(run, "archiver")
            answer = requests.answer(of)
            if answer is not None and answer.at != last.at:
                heard, last = time.monotonic(), answer
            elif time.monotonic() - heard > silent_s:
                raise Problem(str(run), f"the archiver has said nothing for {silent_s:g} s")
            progress(last.done, last.total, f"{last.replaced} segments merged")
            time.sleep(0.0 if last.complete else PAUSE_S)
    finally:
        requests.withdraw(of)
    return last


def _read(path: Path, kind: type[T]) -> T | None:
    with suppress(OSError, msgspec.MsgspecError), path.open("rb") as file:
        return msgspec.json.decode(file.read(FILE_BYTES), type=kind)
    return None
