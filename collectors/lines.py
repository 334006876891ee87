"""Lines of text out of bytes, in any codec: the ``cut`` of every text format.

The codec comes from the source's options (``codec``) or from a byte order mark at the beginning of a stream, and
travels in the context. A record is a line without its end (LF or CR LF) and never empty; bytes stay as received.
"""

import codecs
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
WIDE = {"utf-16-le": (b"\n\0", b"\r\0"), "utf-16-be": (b"\0\n", b"\0\r")}
MARK = "\ufeff"


class Cut(NamedTuple):
    """Whole records, the incomplete remainder, and the context with what is needed to decode the records alone.

    Bytes consumed = everything before ``rest``.
    """

    records: list[bytes]
    rest: bytes
    context: dict[str, Any]


def cut_lines(data: bytes, context: dict[str, Any], final: bool) -> Cut:
    """The whole lines of ``data``; an unfinished last line stays in ``rest`` unless ``final``.

    At the beginning of a stream (no resolved ``codec`` in the context yet) it waits for the four bytes that tell the
    byte order mark.
    """
    if not context.get("started"):
        if len(data) < 4 and not final:
            return Cut([], data, context)
        context = {**context, "codec": _codec(data, context.get("codec")), "started": True}
    split = _split_wide if context["codec"] in WIDE else _split
    lines, rest = split(data, context["codec"])
    if final and rest:
        lines, rest = [*lines, _chomp(rest, context["codec"])], b""
    return Cut([line for line in lines if line and line not in _BARE], rest, context)


_BARE = frozenset(mark for mark, _ in MARKS)


def _codec(head: bytes, declared: object) -> str:
    """The codec of a stream that begins so; ``utf-8`` where nothing (or an unknown name) is declared."""
    marked = next((codec for mark, codec in MARKS if head.startswith(mark)), None)
    try:
        name = codecs.lookup(str(declared)).name if declared else None
    except LookupError:
        name = None
    if name in (None, "utf-8", "utf-8-sig"):
        return marked or "utf-8"
    if name == "utf-16":
        return marked or "utf-16-le"
    return str(name)


def _split(data: bytes, codec: str) -> tuple[list[bytes], bytes]:
    head, end, rest = data.rpartition(b"\n")
    if not end:
        return [], data
    lines = head.split(b"\n")
    return ([_chomp(line, codec) for line in lines] if b"\r" in head else lines), rest


def _split_wide(data: bytes, codec: str) -> tuple[list[bytes], bytes]:
    """Lines of UTF-16: an end counts only where a code unit begins."""
    end, lines, start, at = WIDE[codec][0], [], 0, 0
    while (at := data.find(end, at)) >= 0:
        if at % 2:
            at += 1
            continue
        lines.append(_chomp(data[start:at], codec))
        at = start = at + 2
    return lines, data[start:]


def _chomp(line: bytes, codec: str) -> bytes:
    """The line without one carriage return at its end."""
    return line.removesuffix(WIDE[codec][1] if codec in WIDE else b"\r")


def text_of(record: bytes, context: dict[str, Any]) -> str:
    """The record as text, without a byte order mark; what its codec cannot read is escaped as ``\\xNN``."""
    codec = context.get("codec") or "utf-8"
    try:
        return record.decode(codec, "backslashreplace").removeprefix(MARK)
    except (LookupError, UnicodeError):
        return record.decode("utf-8", "backslashreplace").removeprefix(MARK)


def texts_of(records: Sequence[bytes], context: dict[str, Any]) -> list[str]:
    """``text_of`` each record; all are decoded at once where they are UTF-8."""
    if (context.get("codec") or "utf-8") == "utf-8":
        with suppress(UnicodeDecodeError):
            texts = b"\n".join(records).decode().split("\n")
            if len(texts) == len(records):  # no record has a line feed in it
                return [text.removeprefix(MARK) for text in texts]
    return [text_of(record, context) for record in records]


def sample_lines(head: bytes, limit: int = 20) -> list[bytes]:
    """The first whole lines of a file's beginning as UTF-8, to recognise it by."""
    cut = cut_lines(head, {}, final=len(head) < 1024)
    lines = cut.records[:limit] or [cut.rest]
    if cut.context.get("codec", "utf-8") == "utf-8":
        return [line.removeprefix(codecs.BOM_UTF8) for line in lines if line]
    return [text_of(line, cut.context).encode("utf-8", "surrogatepass") for line in lines if line]


def starts(records: Sequence[bytes]) -> list[int]:
    """Where each record begins in its chunk: the summed lengths of the records before it."""
    at, places = 0, []
    for record in records:
        places.append(at)
        at += len(record)
    return places
