"""Windows of one correlation and group: which of them hold, and the spells they make together.

Time goes by whole seconds: an event counts by the second it falls in, and a window is ``timespan_s`` consecutive ones.
What only grows is judged at every second that has events, over the window that ends there (one that ends elsewhere
holds nothing more), and windows that hold and overlap are one *spell*. Everything else (lt, lte, eq, neq; averages,
quantiles) is judged once, over closed windows that are laid end to end, each beginning with the group's next event:
sliding ones would find "fewer than 3" at the edge of every flood. A group without events in a window is never judged.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator

import msgspec

from detection_rules.correlation_figure import conditions_of, enough, figure_of, holds, only_grows
from detection_rules.correlation_tally import FrozenTally, Tallies, Tally, add_tallies, freeze_tallies, thaw_tallies
from soc_model.alert import ENTITY_VALUES
from soc_model.correlation import Correlation, Partial
from soc_model.layer import Layer, Realm

SECOND_US = 1_000_000
GROUP_BYTES, SECOND_BYTES = 1_500, 250
BLOCK_S = 64


class FrozenSpell(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A spell as data."""

    first_end: int
    last_end: int
    tallies: dict[str, FrozenTally]
    entities: dict[str, list[str]]
    held: int
    told: int
    row: str
    fired: bool


class FrozenWindows(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Windows as data; ``seconds``: (second, when seen, tallies by rule), in order."""

    unit: str
    realm: Realm
    group: tuple[str, ...]
    layer: Layer
    source_id: str
    entities: dict[str, str]
    newest: int
    touched: int
    laid: int
    seconds: list[tuple[int, int, dict[str, FrozenTally]]]
    spells: list[FrozenSpell]


class Spell:
    """Overlapping windows that hold, and the events in them added up.

    ``first_end`` and ``last_end``: the last seconds of the first and the last of the windows. ``told``: how many of its
    events alerts know of; ``row``: under which finding id it was told last; ``fired``: correlations above know of it.
    """

    __slots__ = ("entities", "fired", "first_end", "held", "last_end", "row", "tallies", "told")

    def __init__(self, first_end: int, last_end: int) -> None:
        self.first_end, self.last_end = first_end, last_end
        self.tallies: Tallies = {}
        self.entities: dict[str, list[str]] = {}
        self.held = 0
        self.told = 0
        self.row = ""
        self.fired = False

    @property
    def count(self) -> int:
        """All its base events."""
        return sum(tally.count for tally in self.tallies.values())

    def see(self, entities: dict[str, str]) -> None:
        """Remember entities of its events, some of each name."""
        for name, value in entities.items():
            values = self.entities.setdefault(name, [])
            if value not in values and len(values) < ENTITY_VALUES:
                values.append(value)

    def freeze(self) -> FrozenSpell:
        """The spell as data."""
        return FrozenSpell(
            first_end=self.first_end,
            last_end=self.last_end,
            tallies=freeze_tallies(self.tallies),
            entities=self.entities,
            held=self.held,
            told=self.told,
            row=self.row,
            fired=self.fired,
        )

    @classmethod
    def thaw(cls, frozen: FrozenSpell, correlation: Correlation) -> "Spell":
        """The spell that was frozen."""
        spell = cls(frozen.first_end, frozen.last_end)
        spell.tallies, spell.entities = thaw_tallies(frozen.tallies, correlation.type), frozen.entities
        spell.held, spell.told, spell.row, spell.fired = frozen.held, frozen.told, frozen.row, frozen.fired
        return spell


class Second:
    """The events of one second, by rule; ``seen`` is the clock when the first of them came."""

    __slots__ = ("seen", "tallies")

    def __init__(self, seen: int) -> None:
        self.seen = seen
        self.tallies: Tallies = {}


class Windows:
    """The seconds of one group that windows may still need, and the spells that may still grow.

    ``newest`` is its latest second, ``touched`` the clock when something last came; ``laid`` where the next of the
    windows laid end to end may begin. ``gone``: finding ids of spells that became part of others. ``due``: the earliest
    time it is queued for.
    """

    def __init__(self, correlation: Correlation, first: "Partial | FrozenWindows", grace_s: int) -> None:
        self.correlation, self.grace_s = correlation, grace_s
        self.unit, self.realm, self.group = first.unit, first.realm, first.group
        self.layer: Layer = first.layer
        self.source_id = first.source_id
        self.seconds: dict[int, Second] = {}
        self.order: list[int] = []
        self.spells: list[Spell] = []
        self.entities: dict[str, str] = {}
        self.dirty: set[int] = set()
        self.newest = -(1 << 62)
        self.touched = 0
        self.laid = -(1 << 62)
        self.due = 0
        self.gone: list[str] = []
        self.size_bytes = self._seconds_bytes = 0
        self._sketched = False
        self._blocks: dict[int, list[Tallies]] = {}
        self.grows = only_grows(correlation)

    def add(self, one: Partial, clock: int) -> int:
        """Take a partial; how many of its events came after their window was closed and counted nowhere."""
        self.touched = max(self.touched, clock)
        if one.second < self.laid:
            return one.count
        self.newest = max(self.newest, one.second)
        tally = self._tally(one, clock)
        self._seconds_bytes -= tally.size_bytes()
        tally.add_partial(one, self.correlation.type)
        self._seconds_bytes += tally.size_bytes()
        self._sketched = self._sketched or tally.sketch is not None
        self._blocks.pop(one.second // BLOCK_S, None)
        self.dirty.add(one.second)
        self.entities = one.entities or self.entities
        if (spell := self._spell_over(one.second)) is not None:
            add_tallies(spell.tallies, {one.rule: _alone(one, self.correlation)}, self.correlation.type)
            spell.see(one.entities)
        return 0

    def judge(self) -> list[Spell]:
        """The spells that the seconds touched since the last time began or made grow."""
        dirty, self.dirty = sorted(self.dirty), set()
        if not self.grows or not dirty:
            return []
        changed = [spell for second in dirty if (spell := self._spell_over(second)) is not None]
        for end in self._ends_after(dirty):
            if self._within_a_spell(end) or not enough(self.correlation, self._backwards(end)):
                continue
            changed.append(self._hold(end))
        return [spell for spell in self.spells if any(spell is one for one in changed)]

    def close(self, clock: int, *, all_of_it: bool = False) -> list[Spell]:
        """The spells of closed windows that hold, of those laid end to end; their seconds are let go of."""
        found: list[Spell] = []
        while not self.grows and self.order:
            end = self.order[0] + self.correlation.timespan_s - 1
            if not (all_of_it or self.is_closed(end, clock)):
                break
            inside = self.order[: bisect_right(self.order, end)]
            tallies = [self.seconds[second].tallies for second in inside]
            if holds(figure_of(self.correlation, tallies), conditions_of(self.correlation)):
                found.append(self._closed_spell(end, tallies))
            self.laid = end + 1
            self._drop(len(inside))
        return found

    def settled(self, clock: int, *, all_of_it: bool = False) -> list[Spell]:
        """The spells not yet fired whose beginning can no longer change: now they are events of other correlations."""
        ready = [one for one in self.spells if not one.fired and (all_of_it or self.is_closed(one.first_end, clock))]
        for spell in ready:
            spell.fired = True
        return ready

    def is_closed(self, second: int, clock: int) -> bool:
        """Whether events of that second are late by more than the grace, by the group's own time or by the clock."""
        closed_at = second + 1 + self.grace_s
        return self.newest >= closed_at or (clock >= closed_at and clock - self.touched >= self.grace_s)

    def next_due(self) -> int:
        """When, by the clock, there is something to close, to settle or to forget."""
        waiting = self._waiting()
        if waiting:
            return max(min(waiting) + 1 + self.grace_s, self.touched + self.grace_s)
        return self._forgotten_at()

    def is_over(self, clock: int) -> bool:
        """Whether nothing that comes within the grace can belong to anything it holds."""
        return not self._waiting() and clock >= self._forgotten_at()

    def has(self, spell: Spell) -> bool:
        """Whether the spell still is one of its own; those laid end to end always are."""
        return not self.grows or any(spell is one for one in self.spells)

    def trim(self, clock: int, hold_s: int) -> None:
        """Let go of seconds and spells that no window within the grace can need; of seconds seen ``hold_s`` ago."""
        oldest = self.newest - self.correlation.timespan_s - self.grace_s
        if self.grows:
            past = 0
            for second in self.order:
                if second >= oldest or clock - self.seconds[second].seen < hold_s:
                    break
                past += 1
            self._drop(past)
        self.spells = [spell for spell in self.spells if spell.last_end >= oldest or not spell.fired]

    def measure(self) -> int:
        """How much larger it is, about, than at the last measure."""
        before = self.size_bytes
        spells = sum(tally.size_bytes() for spell in self.spells for tally in spell.tallies.values())
        self.size_bytes = GROUP_BYTES + SECOND_BYTES * len(self.spells) + spells + self._seconds_bytes
        return self.size_bytes - before

    def freeze(self) -> FrozenWindows:
        """The windows as data."""
        return FrozenWindows(
            unit=self.unit,
            realm=self.realm,
            group=self.group,
            layer=self.layer,
            source_id=self.source_id,
            entities=self.entities,
            newest=self.newest,
            touched=self.touched,
            laid=self.laid,
            seconds=[(at, self.seconds[at].seen, freeze_tallies(self.seconds[at].tallies)) for at in self.order],
            spells=[spell.freeze() for spell in self.spells],
        )

    @classmethod
    def thaw(cls, frozen: FrozenWindows, correlation: Correlation, grace_s: int) -> "Windows":
        """The windows that were frozen."""
        windows = cls(correlation, frozen, grace_s)
        windows.entities = frozen.entities
        windows.newest, windows.touched, windows.laid = frozen.newest, frozen.touched, frozen.laid
        for at, seen, tallies in frozen.seconds:
            second = windows.seconds[at] = Second(seen)
            windows.order.append(at)
            second.tallies = thaw_tallies(tallies, correlation.type)
            windows._sketched |= any(tally.sketch is not None for tally in second.tallies.values())
            windows._seconds_bytes += SECOND_BYTES + sum(tally.size_bytes() for tally in second.tallies.values())
        windows.spells = [Spell.thaw(spell, correlation) for spell in frozen.spells]
        return windows

    def _waiting(self) -> list[int]:
        """The seconds whose closing something waits for."""
        waiting = [spell.first_end for spell in self.spells if not spell.fired]
        if not self.grows and self.order:
            waiting.append(self.order[0] + self.correlation.timespan_s - 1)
        return waiting

    def _forgotten_at(self) -> int:
        return max(self.touched, min(self.newest, self.touched + 600)) + self.correlation.timespan_s + self.grace_s

    def _tally(self, one: Partial, clock: int) -> Tally:
        second = self.seconds.get(one.second)
        if second is None:
            second = self.seconds[one.second] = Second(clock)
            insort(self.order, one.second)
            self._seconds_bytes += SECOND_BYTES
        tally = second.tallies.get(one.rule)
        if tally is None:
            tally = second.tallies[one.rule] = Tally(one.first, one.last)
            self._seconds_bytes += tally.size_bytes()
        return tally

    def _backwards(self, end: int, beyond: int | None = None) -> Iterator[Tallies]:
        """The tallies of the window that ends at ``end``, latest first."""
        begin = (end if beyond is None else beyond) - self.correlation.timespan_s + 1
        index = bisect_right(self.order, end) - 1
        while index >= 0 and (second := self.order[index]) >= begin:
            block = second // BLOCK_S
            if self._sketched and begin <= block * BLOCK_S and (block + 1) * BLOCK_S <= end:
                yield from self._block(block)
                index = bisect_left(self.order, block * BLOCK_S) - 1
            else:
                yield self.seconds[second].tallies
                index -= 1

    def _block(self, block: int) -> list[Tallies]:
        """The tallies of a block of seconds, the sketches among them as one: adding up thousands takes a second."""
        if block not in self._blocks:
            begin, end = (bisect_left(self.order, at * BLOCK_S) for at in (block, block + 1))
            parts = [self.seconds[second].tallies for second in self.order[begin:end]]
            plain = [{rule: one} for part in parts for rule, one in part.items() if one.sketch is None]
            together: Tallies = {}
            for one in (one for part in parts for one in part.values() if one.sketch is not None):
                add_tallies(together, {"": one}, self.correlation.type)
            self._blocks[block] = [together, *plain]
        return self._blocks[block]

    def _ends_after(self, dirty: list[int]) -> list[int]:
        """The seconds at which windows end that see one of the touched seconds, where any of them can hold."""
        span = self.correlation.timespan_s
        ends: list[int] = []
        for second in dirty:
            begin = bisect_left(self.order, max(second, ends[-1] + 1 if ends else second))
            ends += self.order[begin : bisect_left(self.order, second + span)]
        if len(ends) > 1 and not enough(self.correlation, self._backwards(ends[-1], beyond=ends[0])):
            return []
        return ends

    def _spell_over(self, second: int) -> Spell | None:
        span = self.correlation.timespan_s
        for spell in reversed(self.spells):
            if spell.first_end - span < second <= spell.last_end:
                return spell
        return None

    def _within_a_spell(self, end: int) -> bool:
        return any(spell.first_end <= end <= spell.last_end for spell in self.spells)

    def _hold(self, end: int) -> Spell:
        """The spell of the window that ends there, which holds: a new one, or those it overlaps as one."""
        span = self.correlation.timespan_s
        touching = [one for one in self.spells if one.first_end - span < end < one.last_end + span]
        known = [(one.first_end - span + 1, one.last_end) for one in touching]
        spell = touching[0] if touching else Spell(end, end)
        for other in touching[1:]:
            _absorb(spell, other, self.correlation)
            self.gone += [other.row] if other.row else []
        spell.first_end, spell.last_end = min(spell.first_end, end), max(spell.last_end, end)
        begin, stop = bisect_left(self.order, spell.first_end - span + 1), bisect_right(self.order, spell.last_end)
        for second in self.order[begin:stop]:
            if not any(first <= second <= last for first, last in known):
                add_tallies(spell.tallies, self.seconds[second].tallies, self.correlation.type)
        spell.see(self.entities)
        self.spells = sorted(
            [one for one in self.spells if not any(one is other for other in touching)] + [spell],
            key=lambda one: one.first_end,
        )
        return spell

    def held_at(self, spell: Spell) -> int:
        """The time of the last event of the second in which the condition first held; remembered with the spell."""
        second = self.seconds.get(spell.first_end)
        if self.grows and second is not None:
            spell.held = max(tally.last for tally in second.tallies.values())
        return spell.held

    def _closed_spell(self, end: int, tallies: list[Tallies]) -> Spell:
        spell = Spell(end, end)
        for one in tallies:
            add_tallies(spell.tallies, one, self.correlation.type)
        spell.see(self.entities)
        spell.held, spell.fired = (end + 1) * SECOND_US - 1, True
        return spell

    def _drop(self, oldest: int) -> None:
        for second in self.order[:oldest]:
            gone = self.seconds.pop(second)
            self._blocks.pop(second // BLOCK_S, None)
            self._seconds_bytes -= SECOND_BYTES + sum(tally.size_bytes() for tally in gone.tallies.values())
        del self.order[:oldest]


def _absorb(spell: Spell, other: Spell, correlation: Correlation) -> None:
    add_tallies(spell.tallies, other.tallies, correlation.type)
    for name, values in other.entities.items():
        for value in values:
            spell.see({name: value})
    spell.told += other.told
    spell.first_end, spell.last_end = min(spell.first_end, other.first_end), max(spell.last_end, other.last_end)
    spell.fired = spell.fired or other.fired


def _alone(one: Partial, correlation: Correlation) -> Tally:
    tally = Tally(one.first, one.last)
    tally.add_partial(one, correlation.type)
    return tally
