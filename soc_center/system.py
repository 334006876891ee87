"""The scope of the center itself: made here and nowhere else, never handed to a person."""

from soc_model.layer import Realm
from soc_model.scope import Scope

SYSTEM = Scope(units=None, realms=frozenset(Realm))
