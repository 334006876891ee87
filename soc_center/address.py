"""Which record of a batch is meant, where its bytes do not matter."""

from typing import NamedTuple


class Address(NamedTuple):
    """A record of a batch: the index of its chunk, and its own in the chunk."""

    chunk: int
    record: int


#: Named when every record has passed alone: if the process ends now, it was none of them.
NOBODY = Address(0xFFFFFFFF, 0xFFFFFFFF)
