"""A compiled rule set as bytes that hold no code: what rules load to, and the databases of their regular expressions.

Comes in: a rule set, what compiling it made, and the key that names what it was made from. Goes out: bytes, and from
bytes the same again. The one thing to know: bytes that are damaged, of another version or another key give None, never
an error, because all of it can be made again from the rules.
"""

from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256

import msgspec

from detection_rules.plain import Plain, plain_of
from detection_rules.regex_databases import Databases, Serialized
from detection_rules.rule import RuleSet
from detection_rules.snapshot import Snapshot, compile_snapshot

NAME = b"fengsui compiled rules"
VERSION = 2
DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """``databases`` by the digest of what they are made of; ``empty``: paths that hold no rule document, and why.

    ``read`` counts, by path, the documents and the files that could not be read. ``catalogue`` is the SHA-256 of the
    catalogue of them all that was made together with it.
    """

    key: str
    ruleset: RuleSet
    databases: dict[str, Serialized] = field(default_factory=dict)
    empty: dict[str, str] = field(default_factory=dict)
    read: dict[str, int] = field(default_factory=dict)
    catalogue: str = ""

    def snapshot(self) -> Snapshot:
        """The snapshot of the rules; nothing that is known is compiled again."""
        return compile_snapshot(self.ruleset, hyperscan=Databases(self.databases))


def encode_compiled(compiled: Compiled) -> bytes:
    """A line with name and version, the SHA-256 of the rest, and the rest."""
    body = msgspec.msgpack.encode(_plain().dump(compiled))
    return b"%s %d\n%s%s" % (NAME, VERSION, sha256(body).digest(), body)


def decode_compiled(data: bytes, key: str) -> Compiled | None:
    """What was encoded under ``key``; None for anything else."""
    head = b"%s %d\n" % (NAME, VERSION)
    digest, body = data[len(head) : len(head) + DIGEST_BYTES], data[len(head) + DIGEST_BYTES :]
    if not data.startswith(head) or sha256(body).digest() != digest:
        return None
    try:
        found: Compiled = _plain().load(msgspec.msgpack.decode(body))
    except (msgspec.MsgspecError, TypeError, ValueError, LookupError):  # made by other code under the same version
        return None
    return found if found.key == key else None


@cache
def _plain() -> Plain:
    return plain_of(Compiled)
