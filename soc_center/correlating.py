"""Correlation within triage: the correlator, and how it is kept in the state and made again from there.

Comes in: outcomes, or time that goes by while none waits. Goes out: for each tick the deltas of alerts and the step
that is committed with them. The one thing to know: most steps are small; when those since the last whole copy have
grown large or many, the next one is a whole copy, so that a start never has much to do again.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from detection_rules.correlator import Advance, Changes, Correlator, FrozenCorrelator
from soc_center.life import say
from soc_model.outcome import Outcome
from soc_store.correlation_store import CorrelationStep
from soc_store.packing import packed
from soc_store.state import State
from soc_store.zstd import ZstdError, compress, decompress

MAGIC = b"fengsui-correlation 1\n"
STEPS = 2_000
STEP_BYTES = 4 << 20
_ADVANCE = msgspec.msgpack.Decoder(Advance)
_WHOLE = msgspec.msgpack.Decoder(FrozenCorrelator)


class Correlating:
    """The correlator of the one triage of a center."""

    def __init__(self, correlator: Correlator, *, steps: int = 0, step_bytes: int = 0, whole_bytes: int = 0) -> None:
        self._correlator = correlator
        self._steps, self._step_bytes, self._whole_bytes = steps, step_bytes, whole_bytes

    @classmethod
    def open(cls, state: State) -> "Correlating":
        """The correlator as it was at the last tick."""
        correlator, steps, step_bytes, whole_bytes = Correlator(), 0, 0, 0
        try:
            for whole, body in state.correlation_steps():
                if whole:
                    correlator = Correlator.thaw(_WHOLE.decode(_unpacked(body)))
                    steps, step_bytes, whole_bytes = 0, 0, len(body)
                else:
                    correlator.apply(_ADVANCE.decode(_unpacked(body)))
                    steps, step_bytes = steps + 1, step_bytes + len(body)
        except (ValueError, ZstdError, msgspec.MsgspecError) as error:
            say(f"triage: the windows of correlations cannot be read and begin anew: {error}")
            return cls(Correlator(), steps=STEPS)
        return cls(correlator, steps=steps, step_bytes=step_bytes, whole_bytes=whole_bytes)

    def take(self, outcomes: Sequence[Outcome]) -> tuple[Changes, CorrelationStep]:
        """What outcomes come to, and what is to be kept with the tick."""
        return self._step(self._correlator.gather(outcomes))

    def pass_time(self, now_us: int) -> tuple[Changes, CorrelationStep]:
        """What time alone comes to."""
        return self._step(self._correlator.passing(now_us))

    def is_due(self, now_us: int) -> bool:
        """Whether time alone comes to anything by then."""
        return self._correlator.is_due(now_us)

    def values(self) -> dict[str, Any]:
        """The gauge: groups and bytes held, what was let go of for want of room, and what came too late."""
        return {
            "correlation_groups": self._correlator.groups,
            "correlation_bytes": self._correlator.size_bytes,
            "correlation_evicted": self._correlator.evicted,
            "correlation_late": self._correlator.late,
        }

    def _step(self, advance: Advance) -> tuple[Changes, CorrelationStep]:
        changes = self._correlator.apply(advance)
        body, whole = self._kept(advance) if changes.kept else (b"", False)
        return changes, CorrelationStep(episodes=changes.episodes, gone=changes.gone, body=body, whole=whole)

    def _kept(self, advance: Advance) -> tuple[bytes, bool]:
        if self._steps < STEPS and self._step_bytes < max(STEP_BYTES, 2 * self._whole_bytes):
            body = _packed(advance)
            self._steps, self._step_bytes = self._steps + 1, self._step_bytes + len(body)
            return body, False
        body = _packed(self._correlator.freeze())
        self._steps, self._step_bytes, self._whole_bytes = 0, 0, len(body)
        return body, True


def _packed(value: Advance | FrozenCorrelator) -> bytes:
    return MAGIC + compress(packed(value), 1)


def _unpacked(body: bytes) -> bytes:
    if not body.startswith(MAGIC):
        raise ValueError(f"not of a known version: begins with {body[: len(MAGIC)]!r}")
    return decompress(body[len(MAGIC) :])
