"""How many new assets one source may bring, so that made-up names neither fill the table nor push others out.

Counted by source and kind: a flood of names from one source leaves the room of other sources, and of its own other
kinds, as it is. What finds no room is left out and counted; seen again in a later run it is looked at again.
"""

from collections.abc import Mapping

from soc_model.asset import AssetKind, Bucket

LINK = "link"
#: Of each source ever: 50,000 assets, and as many links.
EVER: Mapping[str, int] = {
    AssetKind.HOST: 10_000,
    AssetKind.USER: 10_000,
    AssetKind.ADDRESS: 10_000,
    AssetKind.SERVICE: 10_000,
    AssetKind.DOMAIN: 5_000,
    AssetKind.EXTERNAL: 5_000,
    LINK: 50_000,
}
RUN = 2_000  # new ones of a source and kind in one run


class Room:
    """The room that is left in one run; ``ever`` is what each bucket has made before."""

    def __init__(self, ever: Mapping[Bucket, int], run: int = RUN, most: Mapping[str, int] = EVER) -> None:
        self._ever, self._run, self._most = ever, run, most
        self._made: dict[Bucket, int] = {}

    def left(self, bucket: Bucket) -> int:
        """How many more the bucket may make."""
        made = self._made.get(bucket, 0)
        return max(0, min(self._run, self._most[bucket.kind] - self._ever.get(bucket, 0)) - made)

    def take(self, made: Mapping[Bucket, int]) -> None:
        """Count what was made."""
        for bucket, n in made.items():
            self._made[bucket] = self._made.get(bucket, 0) + n
