"""The last self-proof of the rules, read again when it was made anew."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from soc_model.rule_proof import ProofReport, RuleProof


class ProofFile:
    """Reads the report at ``path``; one that is not there or damaged proves nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] = (0, 0)
        self._proofs: dict[str, RuleProof] = {}

    def proofs(self) -> Mapping[str, RuleProof]:
        """By rule id."""
        try:
            found = self._path.stat()
            if (found.st_ino, found.st_mtime_ns) != self._seen:
                report = msgspec.json.decode(self._path.read_bytes(), type=ProofReport)
                self._proofs = {one.rule_id: one for one in report.proofs}
                self._seen = found.st_ino, found.st_mtime_ns
        except (OSError, msgspec.MsgspecError):
            return {}
        return self._proofs
