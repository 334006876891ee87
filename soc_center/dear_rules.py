"""Rules that cost too much (高开销规则): noticed by what the workers tell, put aside until somebody looks.

Comes in: seconds by rule that each worker has spent. Goes out: the rules that took more than ``SHARE`` of the workers'
time in two spans running. The one thing to know: what is put aside is a rule's text; a changed rule runs again.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from soc_model.problem import Problem
from soc_store.durable import publish

SPAN_S = 30.0
SHARE = 0.25  # of all workers' time; the dearest of SigmaHQ's rules takes less than a hundredth
SPANS = 2


class CostWatch:
    """What rules cost, span by span."""

    def __init__(self, began_s: float) -> None:
        self._since = began_s
        self._last: dict[tuple[int, str], float] = {}
        self._running: dict[str, int] = {}
        self.shares: dict[str, float] = {}

    def see(self, costs: Mapping[int, Mapping[str, float]], now_s: float) -> list[str]:
        """The rules that are too dear by now; ``costs``: seconds by rule, by the worker's process id."""
        if now_s - self._since < SPAN_S or not costs:
            return []
        spent: dict[str, float] = {}
        for pid, rules in costs.items():
            for rule_id, seconds in rules.items():
                spent[rule_id] = spent.get(rule_id, 0.0) + seconds - self._last.get((pid, rule_id), 0.0)
        whole = (now_s - self._since) * len(costs)
        self.shares = {rule_id: seconds / whole for rule_id, seconds in spent.items() if seconds > 0}
        self._last = {(pid, rule_id): s for pid, rules in costs.items() for rule_id, s in rules.items()}
        self._since = now_s
        dear = {rule_id for rule_id, share in self.shares.items() if share > SHARE}
        self._running = {rule_id: self._running.get(rule_id, 0) + 1 for rule_id in dear}
        return sorted(rule_id for rule_id, spans in self._running.items() if spans >= SPANS)


class PutAside(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that was put aside: the text it had, the share of time it took, and when."""

    rule_id: str
    content_sha256: str
    share: float
    at: int

    @property
    def reason(self) -> str:
        """Why it does not run, for people."""
        return f"put aside: it alone took {100 * self.share:.0f} % of detection's time; see fengsui rules release"


class _File(msgspec.Struct, frozen=True, kw_only=True):
    format: str = "fengsui-dear-rules/1"
    rules: list[PutAside] = []


class DearRules:
    """The rules that are put aside, as a small file that detection follows."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def all(self) -> dict[str, PutAside]:
        """By the SHA-256 of their text; ``Problem`` when the file is damaged."""
        try:
            found = msgspec.json.decode(self.path.read_bytes(), type=_File)
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.MsgspecError) as error:
            raise Problem(str(self.path), f"cannot be read: {error}") from error
        return {one.content_sha256: one for one in found.rules}

    def put(self, rules: Iterable[PutAside]) -> None:
        """Put these aside too."""
        self._write({**self.all(), **{one.content_sha256: one for one in rules}})

    def release(self, rule_id: str) -> PutAside:
        """Let a rule run again; ``Problem`` when it is not put aside."""
        kept = self.all()
        found = next((one for one in kept.values() if one.rule_id == rule_id), None)
        if found is None:
            raise Problem(f"rule {rule_id}", "is not put aside")
        self._write({digest: one for digest, one in kept.items() if one.rule_id != rule_id})
        return found

    def _write(self, rules: Mapping[str, PutAside]) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = self.path.with_suffix(".new")
        made.write_bytes(msgspec.json.encode(_File(rules=list(rules.values()))))
        made.chmod(0o600)
        publish(made, self.path)
