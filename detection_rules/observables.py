"""Which fields of an event hold observable values: ``observables.yml``, read once, asked by type of event."""

from functools import cache
from pathlib import Path
from typing import Literal

import msgspec
import yaml

from soc_model.source import Logsource

ObservableKind = Literal["address", "domain", "url", "hash", "hashes", "answers", "email"]


class Fields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fields with the kind of their values, and pairs of fields that are host and path of one URL."""

    fields: dict[str, ObservableKind] = {}
    urls: list[tuple[str, str]] = []
    logsource: Logsource = Logsource()


class Observables(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    header: dict[str, ObservableKind]
    sources: list[Fields]
    others: Fields

    def of(self, logsource: Logsource) -> Fields:
        """The fields of events with that logsource."""
        known = [one for one in self.sources if one.logsource.covers(logsource)]
        fields = {name: kind for one in known for name, kind in one.fields.items()}
        urls = [pair for one in known for pair in one.urls]
        return Fields(fields=fields, urls=urls) if known else self.others


@cache
def observables() -> Observables:
    """Our own file."""
    text = (Path(__file__).parent / "observables.yml").read_text("utf-8")
    return msgspec.convert(yaml.safe_load(text), Observables)
