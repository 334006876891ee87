"""The words everyone uses: stdlib and msgspec only, imported by every room, importing none of ours.

All nouns are frozen, keyword-only and slotted. Times are UTC in microseconds since the epoch (``int``); units stand
in names (``_s``, ``_bytes``); every digest names its algorithm.
"""
