"""The body of an Elasticsearch ``_bulk`` request, read and answered: pure, no Elasticsearch anywhere.

Comes in: NDJSON of action lines, each but ``delete`` followed by a document line. Goes out: the documents of ``create``
and ``index`` as they were received, and an answer with one item for each action, in order. The one thing to know: a
request whose framing is broken (an action that is none, a document that is missing) is refused whole with the number of
its line and nothing of it is kept; an action that an append-only archive cannot do (``update``, ``delete``) and an
empty document are refused alone, with status 400. A document that is no JSON is kept: what cannot be read is counted
as unparsed, not lost. ``_id``, ``_index`` and ``pipeline`` decide nothing.
"""

from typing import Any, NamedTuple

import msgspec

ITEMS = 50_000  # of one request; each is answered
KEPT = ("create", "index")
REFUSED = ("update", "delete")
NAME_CHARACTERS = 512
TIMES = (b'"@timestamp":', b'"timestamp":')
_ACTION = msgspec.json.Decoder(dict[str, dict[str, Any] | None])


class BulkProblem(Exception):
    """A body that is no bulk request; ``line`` counts from 1."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(f"line {line}: {what}")
        self.line = line


class TooManyItems(Exception):
    """More than ``ITEMS`` actions in one request."""


class Item(NamedTuple):
    """One action: what it is, the names it gave, and why it is refused (empty when it is not)."""

    action: str
    target: str
    id: str
    why: str = ""


class Bulk(NamedTuple):
    """The actions of a request in order, and the documents of those that are taken."""

    items: list[Item]
    documents: list[bytes]

    @property
    def unmistakable(self) -> bool:
        """Whether every document says its time: an equal request is then the same one, not another of equal content."""
        return bool(self.documents) and all(any(time in one for time in TIMES) for one in self.documents)


def read_bulk(body: bytes, index: str = "") -> Bulk:
    """The actions and documents of a body; ``index`` is the one in the request's path.

    Raises ``BulkProblem`` and ``TooManyItems``.
    """
    bulk = Bulk([], [])
    lines = body.split(b"\n")
    at = 0
    while at < len(lines):
        if lines[at].strip():
            at = _read_action(lines, at, index, bulk)
        at += 1
        if len(bulk.items) > ITEMS:
            raise TooManyItems
    return bulk


def _read_action(lines: list[bytes], at: int, index: str, bulk: Bulk) -> int:
    """Read the action on a line with its document; where its last line stands."""
    action, names = _action(lines[at], at + 1)
    item = Item(action, _name(names.get("_index")) or index, _name(names.get("_id")))
    if action == "delete":
        bulk.items.append(item._replace(why="delete: events are kept as they came"))
        return at
    if at + 1 == len(lines) or (at + 2 == len(lines) and not lines[at + 1].strip()):
        raise BulkProblem(at + 1, f"the document of this {action} is missing")
    document = lines[at + 1].removesuffix(b"\r")
    if action == "update":
        item = item._replace(why="update: events are kept as they came")
    elif not document.strip():
        item = item._replace(why="the document is empty")
    else:
        bulk.documents.append(document)
    bulk.items.append(item)
    return at + 1


def _action(line: bytes, number: int) -> tuple[str, dict[str, Any]]:
    """The action on a line and the names it gives."""
    try:
        said = _ACTION.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise BulkProblem(number, 'no action: expected an object such as {"create":{}}') from None
    if len(said) != 1 or (action := next(iter(said))) not in KEPT + REFUSED:
        raise BulkProblem(number, f"no action: expected one of {', '.join(KEPT + REFUSED)}")
    return action, said[action] or {}


def _name(value: Any) -> str:
    return value[:NAME_CHARACTERS] if isinstance(value, str) else ""


def bulk_answer(bulk: Bulk, took_ms: int) -> dict[str, Any]:
    """The answer: 201 for what is kept, 400 with a reason for what is not."""
    return {
        "took": took_ms,
        "errors": any(item.why for item in bulk.items),
        "items": [{item.action: _result(item)} for item in bulk.items],
    }


def _result(item: Item) -> dict[str, Any]:
    result: dict[str, Any] = {"_index": item.target, "status": 400 if item.why else 201}
    if item.id:
        result["_id"] = item.id
    if item.why:
        result["error"] = {"type": "illegal_argument_exception", "reason": item.why}
    return result
