"""Who may see which rows: the first, required argument of every read of rows that carry a unit and a realm."""

import msgspec

from soc_model.layer import Realm


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """The units and realms a reader may see; ``units=None`` is every unit.

    Stores compile it into the predicate of the read itself, so a row outside it is never fetched. The scope that sees
    everything, ``SYSTEM``, is made in soc_center only.
    """

    units: frozenset[str] | None
    realms: frozenset[Realm]

    def sees(self, unit: str, realm: Realm) -> bool:
        """Whether one row may be shown."""
        return realm in self.realms and (self.units is None or unit in self.units)

    def narrowed(self, realms: frozenset[Realm]) -> "Scope":
        """This scope with only those of its realms that are also in ``realms``; never wider."""
        return Scope(units=self.units, realms=self.realms & realms)
