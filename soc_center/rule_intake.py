"""An archive of rules from a file, a folder or an address, with the proof that it is the one that was meant.

Comes in: what a person named. Goes out: ``rules.zip`` in a staging folder, and where it is from. The one thing to know:
the proof is checked over the bytes as received, before anything in them is looked at.
"""

import base64
import binascii
import re
import zipfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from detection_rules.library import MAX_ARCHIVE_BYTES, MAX_ENTRIES, SUFFIXES
from detection_rules.rule_yaml import MAX_TEXT_BYTES
from soc_center.outbound import Outbound
from soc_center.rule_library import RULES
from soc_model.outbound import Http
from soc_model.problem import Problem
from soc_store.signing_key import read_verifying_key

PACKED_BYTES = 64 << 20
DOWNLOAD_S = 300.0
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SAME_TIME = (1980, 1, 1, 0, 0, 0)  # so that the same files make the same archive


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a person gave to know the archive by: its SHA-256, or a signature over it and the public key."""

    sha256: str = ""
    signature: Path | None = None
    key: Path | None = None

    @property
    def given(self) -> bool:
        """Whether there is one at all."""
        return bool(self.sha256 or self.signature)


class Received(NamedTuple):
    """An archive in a staging folder: where from, by what it was known, its digest and size."""

    source: str
    proof: str
    sha256: str
    size_bytes: int


def receive(where: str, proof: Proof, staged: Path, outbound: Outbound) -> Received:
    """Bring the archive into the folder ``staged``; ``Problem`` for all that is not what was meant."""
    _check_given(where, proof)
    if "://" in where:
        return _keep(_download(where, outbound), where, proof, staged)
    path = Path(where)
    if path.is_dir():
        if proof.given:
            raise Problem(where, "a folder has no SHA-256 and no signature of its own; give an archive")
        _pack(path, staged / RULES)
        return _keep((staged / RULES).read_bytes(), str(path.resolve()), proof, staged)
    try:
        if path.stat().st_size > PACKED_BYTES:
            raise Problem(where, f"is larger than {PACKED_BYTES >> 20} MiB")
        return _keep(path.read_bytes(), str(path.resolve()), proof, staged)
    except OSError as error:
        raise Problem(where, f"cannot be read: {error.strerror}") from error


def _check_given(where: str, proof: Proof) -> None:
    if bool(proof.signature) != bool(proof.key):
        raise Problem("--signature", "and --key come together")
    if proof.sha256 and not _DIGEST.fullmatch(proof.sha256.lower()):
        raise Problem("--sha256", "must be 64 hexadecimal digits")
    if "://" in where and not proof.given:
        raise Problem(where, "what comes over the network needs --sha256, or --signature with --key")


def _keep(content: bytes, source: str, proof: Proof, staged: Path) -> Received:
    believed = _believed(content, source, proof)
    (staged / RULES).write_bytes(content)
    if not zipfile.is_zipfile(staged / RULES):
        raise Problem(source, "is no zip archive")
    return Received(source, believed, sha256(content).hexdigest(), len(content))


def _believed(content: bytes, source: str, proof: Proof) -> str:
    """By what the archive is known, in words; ``Problem`` where it is another one."""
    said = []
    if proof.sha256:
        found = sha256(content).hexdigest()
        if found != proof.sha256.lower():
            raise Problem(source, f"its SHA-256 is {found}, not the one that was given")
        said.append("SHA-256")
    if proof.signature is not None and proof.key is not None:
        key = read_verifying_key(proof.key)
        if not key.holds(_signature(proof.signature), content):
            raise Problem(source, f"the signature does not hold for key {key.key_id}")
        said.append(f"Ed25519 {key.key_id}")
    return " + ".join(said)


def _signature(path: Path) -> bytes:
    """64 bytes, as they are or in Base64."""
    try:
        found = path.read_bytes()
    except OSError as error:
        raise Problem(str(path), f"cannot be read: {error.strerror}") from error
    if len(found) == 64:
        return found
    try:
        return base64.b64decode(found.strip(), validate=True)
    except binascii.Error as error:
        raise Problem(str(path), "is no signature: 64 bytes, or the same in Base64") from error


def _download(url: str, outbound: Outbound) -> bytes:
    wanted = Http(url=url, purpose="rules update", answer_bytes=PACKED_BYTES, call_s=DOWNLOAD_S)
    answer = outbound.perform(wanted)
    if 300 <= answer.status < 400:
        raise Problem(
            url, f"answers {answer.status}: redirects are not followed; name the address that has the archive"
        )
    if answer.status != 200:
        raise Problem(url, f"answers {answer.status}")
    return answer.body


def _pack(folder: Path, archive: Path) -> None:
    """The rule files below a folder as an archive; links are left out, because they may lead anywhere."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES and not path.is_symlink())
    files = [path for path in files if path.is_file()]
    if len(files) > MAX_ENTRIES or sum(path.stat().st_size for path in files) > MAX_ARCHIVE_BYTES:
        raise Problem(str(folder), f"has more than {MAX_ENTRIES} rule files or {MAX_ARCHIVE_BYTES >> 20} MiB of them")
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
        for path in files:
            if path.stat().st_size > MAX_TEXT_BYTES:
                raise Problem(str(path), f"is larger than {MAX_TEXT_BYTES} bytes")
            name = path.relative_to(folder).as_posix()
            packed.writestr(zipfile.ZipInfo(name, _SAME_TIME), path.read_bytes())
