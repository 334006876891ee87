"""The load generator, a process of its own: ``python -m bench.generator LOAD.json SENT.json``.

Comes in: a ``Load``. Goes out: its events, each with an id of its own, at the rate of each sender or flat out, and a
``Sent``. The one thing to know: a rated sender that is late catches up with at most 50 ms of its rate.
"""

import heapq
import select
import sys
import time
from pathlib import Path

import msgspec

from bench.block import Block
from bench.load import Load, Sent, Way, block_of
from bench.senders import FileSender, HttpSender, Sender, TcpSender

BURST_S = 0.05
VARIANTS = 8  # different blocks of one kind, sent in turn
LAST_S = 60.0


class Generator:
    """All senders of a load on one clock."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._senders = [sender_of(way) for way in load.ways]
        self._blocks: dict[tuple[object, ...], list[Block]] = {}
        for way in load.ways:
            key = _key(way)
            if key not in self._blocks:
                self._blocks[key] = [
                    block_of(way.kind, way.lines, seed, counted=way.counted) for seed in range(_variants(way))
                ]
        self.lines: list[int] = []
        self.out = bytearray()
        self.bytes = 0
        self.late_s = 0.0
        self._poll = select.poll()
        self._busy: dict[int, int] = {}  # descriptor: sender
        self._due: list[tuple[float, int]] = []
        self._following: dict[int, float] = {}  # when a busy sender is due again

    def run(self) -> Sent:
        """Send for as long as the load says, then wait until all of it was taken."""
        began = time.monotonic()
        began_at = time.time()
        periods = [way.lines / way.rate if way.rate else 0.0 for way in self._load.ways]
        self._due = [(began + period * i / len(periods), i) for i, period in enumerate(periods)]
        heapq.heapify(self._due)
        end = began + self._load.seconds
        while (now := time.monotonic()) < end:
            if self._due and self._due[0][0] <= now:
                self._give(*heapq.heappop(self._due), now, periods)
            else:
                self._wait(min(end, self._due[0][0] if self._due else end) - now, periods)
        seconds = time.monotonic() - began
        last = time.monotonic() + LAST_S
        while self._busy and time.monotonic() < last:
            self._wait(0.1, periods)
        heard = [sender.finish() for sender in self._senders]
        return Sent(
            lines=self.lines,
            out=list(self.out),
            seconds=seconds,
            bytes=self.bytes,
            cpu_s=time.process_time(),
            refused=sum(sender.refused for sender in self._senders),
            late_s=self.late_s,
            heard=all(heard),
            began=began_at,
            ended=began_at + seconds,
        )

    def _give(self, due: float, i: int, now: float, periods: list[float]) -> None:
        way, sender = self._load.ways[i], self._senders[i]
        number = len(self.lines)
        blocks = self._blocks[_key(way)]
        data = blocks[number % len(blocks)].filled(number, time.time())
        self.lines.append(way.lines)
        self.out.append(0)
        self.bytes += len(data)
        self._note(sender.give(number, data))
        following = due + periods[i]
        if following < now - BURST_S:
            self.late_s += (now - BURST_S - following) if periods[i] else 0.0
            following = now - BURST_S
        if sender.idle:
            heapq.heappush(self._due, (following, i))
        else:
            self._hold(i, following)

    def _hold(self, i: int, following: float) -> None:
        sender = self._senders[i]
        self._busy[sender.fileno()] = i
        self._poll.register(sender.fileno(), sender.interest())
        self._following[i] = following

    def _wait(self, timeout_s: float, periods: list[float]) -> None:
        for fd, _ in self._poll.poll(max(0.0, timeout_s) * 1000):
            i = self._busy[fd]
            sender = self._senders[i]
            self._note(sender.pump())
            if sender.idle or sender.fileno() != fd:
                self._poll.unregister(fd)
                del self._busy[fd]
                if sender.idle:
                    heapq.heappush(self._due, (self._caught_up(i, periods[i]), i))
                else:
                    self._hold(i, self._following[i])
            else:
                self._poll.modify(fd, sender.interest())

    def _caught_up(self, i: int, period: float) -> float:
        """When the sender that was busy is due again."""
        earliest = time.monotonic() - BURST_S
        following = self._following[i]
        if following < earliest:
            self.late_s += earliest - following if period else 0.0
            return earliest
        return following

    def _note(self, numbers: list[int]) -> None:
        for number in numbers:
            self.out[number] = 1


def _key(way: Way) -> tuple[object, ...]:
    return way.kind, way.lines, way.counted


def _variants(way: Way) -> int:
    """More different blocks where a block is small, so that it is not always the same few lines."""
    return max(VARIANTS, 400 // way.lines)


def sender_of(way: Way) -> Sender:
    """The sender of a way, connected."""
    if way.over == "tcp":
        return TcpSender(way.place, way.own)
    if way.over == "http":
        return HttpSender(way.place, way.source, way.key)
    return FileSender(way.path)


def main() -> None:
    """Run the load in the first file, write what was sent into the second."""
    load = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Load)
    sent = Generator(load).run()
    made = Path(sys.argv[2])
    made.with_suffix(".new").write_bytes(msgspec.json.encode(sent))
    made.with_suffix(".new").replace(made)


if __name__ == "__main__":
    main()
