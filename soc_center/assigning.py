"""Located events get the unit they belong to: that of the zone they hit, else of their source (design.md, §4 Unit).

Which address is hit depends on who watches: a source in the network layer reports on others, so the destination comes
first and the host that reports after it; any other source reports on its own host, and the destination comes after.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from soc_model.event import Located
from soc_model.layer import Layer
from soc_model.reference import Reference

OWN_FIRST = ("host.name", "destination.ip")
OTHERS_FIRST = ("destination.ip", "host.name")


def assigned(groups: Iterable[Located], reference: Reference) -> Iterator[Located]:
    """The groups, split where their events belong to different units; each event is in exactly one."""
    for located in groups:
        if reference.id:
            yield from _split(located, reference)
        else:
            yield located


def _split(located: Located, reference: Reference) -> Iterator[Located]:
    own = located.source.unit
    units = [unit or own for unit in _units(located, reference)]
    found = dict.fromkeys(units)
    if len(found) <= 1:
        unit = next(iter(found), own)
        if unit != own:
            located.source = msgspec.structs.replace(located.source, unit=unit)
        yield located
        return
    for unit in found:
        yield _part(located, unit, [i for i, one in enumerate(units) if one == unit])


def _units(located: Located, reference: Reference) -> list[str | None]:
    """The unit of each event's zone; None where it hits none."""
    header, found = located.group.header, [None] * len(located.group)
    order = OTHERS_FIRST if located.source.layer is Layer.NETWORK else OWN_FIRST
    units: list[str | None] = list(found)
    for name in order:
        values = header.get(name)
        if values is not None:
            units = [
                unit if unit is not None or not isinstance(value, str) else reference.unit_of(value)
                for unit, value in zip(units, values, strict=True)
            ]
    return units


def _part(located: Located, unit: str, indexes: Sequence[int]) -> Located:
    def pick(values: Sequence[Any]) -> list[Any]:
        return [values[i] for i in indexes]

    group, place = located.group, {index: at for at, index in enumerate(indexes)}
    return replace(
        located,
        group=replace(
            group,
            fields=pick(group.fields),
            raws=pick(group.raws),
            times=pick(group.times),
            bytes_at=pick(group.bytes_at),
            records=pick(group.records),
            header={name: pick(values) for name, values in group.header.items()},
            identities=None if group.identities is None else pick(group.identities),
            host_addresses=None if group.host_addresses is None else pick(group.host_addresses),
            unparsed={place[i]: why for i, why in group.unparsed.items() if i in place},
        ),
        source=msgspec.structs.replace(located.source, unit=unit),
        event_ids=pick(located.event_ids),
        at=pick(located.at),
        flags=pick(located.flags),
        sizes={place[i]: size for i, size in located.sizes.items() if i in place},
    )
