"""What an importer hands on: one entry of a feed as it stands there, with its place; or why there is none."""

from typing import NamedTuple

MAX_FILE_BYTES = 256 << 20  # unpacked, of one import
MAX_LINE_BYTES = 64 << 10
MAX_FILES = 10_000


class Entry(NamedTuple):
    """One value that a feed lists. ``kind`` as the feed says, empty where it does not; ``confidence`` -1, and
    ``valid_until`` 0, where it does not either."""

    place: str
    kind: str
    value: str
    confidence: int = -1
    valid_until: int = 0
    label: str = ""
    reference: str = ""


class Refused(NamedTuple):
    """Why something is not taken, and where it stands (``file:line`` or ``file: id``)."""

    place: str
    why: str
