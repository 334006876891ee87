"""Signed checkpoints: what the last entry of a realm's manifest was at a time, kept outside the data directory.

One file of NDJSON per realm, only appended to and synced. Whoever holds a copy of a checkpoint can tell that nothing up
to its entry was changed, taken out or cut off since, however well the manifest was written anew.
"""

import os
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from soc_model.layer import Realm
from soc_model.problem import Problem
from soc_store import merkle
from soc_store.durable import make_folder, sync_folder
from soc_store.signing_key import ALG as SIGNATURE
from soc_store.signing_key import SigningKey, VerifyingKey

VERSION = 1
ALG = f"{SIGNATURE}/{merkle.ALG}"  # of the signature and of the entry's digest; SM2/SM3 would be another
LINE_BYTES = 16_384
_CONTEXT = b"fengsui-checkpoint\n"  # so that no signature over anything else passes for one


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a realm's manifest: ``head`` is the digest of its entry ``sequence``, signed at ``time`` (µs).

    ``counts``: segments, and rows of events, findings and sightings, ever sealed up to it, and segments removed.
    """

    v: int
    alg: str
    realm: Realm
    sequence: int
    head: str
    time: int
    counts: dict[str, int]
    key_id: str
    signature: str = ""


class Line(NamedTuple):
    """One line of a checkpoint file: the checkpoint, or what is wrong with the line."""

    number: int
    checkpoint: Checkpoint | None
    wrong: str = ""


def file_of(folder: Path, realm: Realm) -> Path:
    """The file of a realm's checkpoints."""
    return folder / f"{realm}.ndjson"


class CheckpointFile:
    """Appends to one realm's checkpoints; the archiver is its only writer."""

    def __init__(self, folder: Path, realm: Realm) -> None:
        self._path, self._realm = file_of(folder, realm), realm

    def last(self) -> Checkpoint | None:
        """The last whole checkpoint; ``None`` before the first."""
        try:
            with self._path.open("rb") as file:
                file.seek(max(0, self._path.stat().st_size - 2 * LINE_BYTES))
                lines = file.read().split(b"\n")[:-1]
        except FileNotFoundError:
            return None
        try:
            return msgspec.json.decode(lines[-1], type=Checkpoint) if lines else None
        except msgspec.MsgspecError:
            return None

    def append(self, key: SigningKey, sequence: int, head: str, counts: dict[str, int], now: int) -> Checkpoint:
        """Sign and keep a checkpoint; it is on the disk on return."""
        made = Checkpoint(
            v=VERSION,
            alg=ALG,
            realm=self._realm,
            sequence=sequence,
            head=head,
            time=now,
            counts=counts,
            key_id=key.public.key_id,
        )
        signed = msgspec.structs.replace(made, signature=b64encode(key.sign(_signed(made))).decode())
        self._write(msgspec.json.encode(signed) + b"\n")
        return signed

    def _write(self, line: bytes) -> None:
        make_folder(self._path.parent)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            os.ftruncate(descriptor, _whole(descriptor))  # half a line is what a crash left of one nobody relied on
            os.lseek(descriptor, 0, os.SEEK_END)
            with os.fdopen(os.dup(descriptor), "wb") as file:
                file.write(line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_folder(self._path.parent)


def read_checkpoints(path: Path, size: int, realm: Realm, key: VerifyingKey) -> Iterator[Line]:
    """The lines in the first ``size`` bytes of a file, each checked against the key and the realm.

    A last line without its end is what a crash left, and is passed over.
    """
    with path.open("rb") as file:
        number = 0
        while file.tell() < size and (line := file.readline(LINE_BYTES)):
            number += 1
            if not line.endswith(b"\n"):
                if file.tell() < size or len(line) == LINE_BYTES:
                    yield Line(number, None, "is too long for a checkpoint")
                return
            yield _checked(number, line, realm, key)


def _checked(number: int, line: bytes, realm: Realm, key: VerifyingKey) -> Line:
    try:
        found = msgspec.json.decode(line, type=Checkpoint, strict=True)
        signature = b64decode(found.signature, validate=True)
    except (msgspec.MsgspecError, ValueError) as error:
        return Line(number, None, f"is no checkpoint ({error})")
    if (found.v, found.alg) != (VERSION, ALG):
        return Line(
            number, None, f"has version {found.v} and algorithm {found.alg!r}, which this program does not know"
        )
    if found.key_id != key.key_id:
        return Line(number, None, f"is by another key ({found.key_id}, not {key.key_id})")
    if not key.holds(signature, _signed(found)):
        return Line(number, None, "its signature does not hold")
    if found.realm != realm:
        return Line(number, None, f"is of the realm {found.realm}")
    return Line(number, found)


def require_key(folder: Path, key: Path) -> None:
    """``Problem`` when there are checkpoints but the key they were signed with is gone: a new one would hide that."""
    if not key.exists() and any(folder.glob("*.ndjson")):
        raise Problem(str(key), f"is gone, but {folder} has checkpoints: bring it back, or put them aside first")


def _signed(checkpoint: Checkpoint) -> bytes:
    """What is signed: all but the signature."""
    return _CONTEXT + msgspec.json.encode(msgspec.structs.replace(checkpoint, signature=""), order="sorted")


def _whole(descriptor: int) -> int:
    """How many bytes of a file are whole lines; reads backwards, a line at most."""
    end = os.fstat(descriptor).st_size
    begin = max(0, end - LINE_BYTES)
    tail = os.pread(descriptor, end - begin, begin)
    return begin + tail.rfind(b"\n") + 1
