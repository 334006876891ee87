"""What may become of what was not synced, from the worst to the best, and at random."""

import random


class Dropped:
    """Nothing that was not synced is there."""

    def names(self, changes: int) -> int:
        return 0

    def piece(self) -> bool:
        return False

    def grows(self) -> bool:
        return False


class Kept:
    """Everything is there, as after a fall of all processes."""

    def names(self, changes: int) -> int:
        return changes

    def piece(self) -> bool:
        return True

    def grows(self) -> bool:
        return False


class Zeros(Dropped):
    """Names and sizes are there, the data is not: metadata went first."""

    def names(self, changes: int) -> int:
        return changes

    def grows(self) -> bool:
        return True


class Nameless(Kept):
    """All data is there, but no name of a folder that was not synced."""

    def names(self, changes: int) -> int:
        return 0


class Torn:
    """Each page of each write is there or not, each folder has come up to anywhere."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def names(self, changes: int) -> int:
        return self._random.randint(0, changes)

    def piece(self) -> bool:
        return self._random.random() < 0.5

    def grows(self) -> bool:
        return self._random.random() < 0.5
