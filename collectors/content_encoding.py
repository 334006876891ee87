"""Compressed request bodies undone under caps, so that a small body cannot become a large one."""

import sys
import zlib
from typing import Protocol

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdDecompressor, ZstdError
else:
    from backports.zstd import ZstdDecompressor, ZstdError

ENCODINGS = ("identity", "gzip", "zstd")
MEMBERS = 64  # of a body made of several gzip members or zstd frames


class TooLarge(Exception):
    """The body would be larger than the cap."""


class NotEncoded(Exception):
    """The body is not what its encoding says."""


class _Member(Protocol):
    """One gzip member or zstd frame being undone."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def decoded(body: bytes, encoding: str, cap_bytes: int) -> bytes:
    """The body without its encoding; raises ``TooLarge`` over ``cap_bytes`` and ``NotEncoded`` for a broken one."""
    if encoding == "identity":
        return body
    parts: list[bytes] = []
    left = cap_bytes
    for _ in range(MEMBERS):
        if not body:
            return b"".join(parts)
        part, body = _member(body, encoding, left)
        parts.append(part)
        left -= len(part)
    raise NotEncoded(f"more than {MEMBERS} {encoding} members")


def _member(body: bytes, encoding: str, cap_bytes: int) -> tuple[bytes, bytes]:
    """The content of the first member and what follows it."""
    member: _Member = zlib.decompressobj(wbits=31) if encoding == "gzip" else ZstdDecompressor()
    try:
        part = member.decompress(body, cap_bytes + 1)
    except (zlib.error, ZstdError, EOFError) as error:
        raise NotEncoded(f"no {encoding}: {error}") from error
    if len(part) > cap_bytes:
        raise TooLarge
    if not member.eof:
        raise NotEncoded(f"{encoding} ends too early")
    return part, member.unused_data
