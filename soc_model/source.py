"""Where records come from: a configured source and the Sigma logsource that its events carry."""

from enum import StrEnum
from typing import Any

import msgspec

from soc_model.layer import Layer, Realm


class Trust(StrEnum):
    """How a source proves itself. Only an authenticated source may drive automatic response."""

    MUTUAL_TLS = "mutual_tls"
    KEY = "key"
    NONE = "none"


class Logsource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The Sigma logsource of an event or a rule (Sigma specification 2.1, ``logsource``); empty = not stated."""

    product: str = ""
    category: str = ""
    service: str = ""

    def covers(self, event: "Logsource") -> bool:
        """Whether a rule with this logsource sees an event with that one: each stated part is equal."""
        return (
            self.product in ("", event.product)
            and self.category in ("", event.category)
            and self.service in ("", event.service)
        )


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One configured source (数据源). Its unit, realm and layer are stamped on all it sends.

    ``transport`` and ``format`` are plugin file names. ``settings`` are the transport's (``paths``, ``follow`` ...);
    ``options`` are the format's and become the first context of every stream (``zone``, ``codec`` ...).
    ``logsource`` overrides what the format says, for formats that cannot know. Never holds a secret: the intake key is
    kept as ``key_sha256``.
    """

    id: str
    name: str
    transport: str
    format: str
    layer: Layer
    unit: str
    realm: Realm = Realm.LIVE
    trust: Trust = Trust.NONE
    logsource: Logsource | None = None
    settings: dict[str, Any] = {}
    options: dict[str, Any] = {}
    key_sha256: str = ""
