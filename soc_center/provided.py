"""What the configured sources can feed: the logsources their formats declare, as the rules would see them."""

from collections.abc import Iterator, Sequence

import msgspec

from detection_rules.rule import Rule
from soc_center.pipeline import cached_format
from soc_model.source import Logsource, Source

ANY = "*"  # a part of a logsource that the records decide
ANYTHING = Logsource(product=ANY, category=ANY, service=ANY)
PARTS = Logsource.__struct_fields__


def provided(sources: Sequence[Source], rules: Sequence[Rule]) -> list[Logsource]:
    """The logsources that events of these sources may carry; a part that is open takes each value a rule asks for."""
    asked = {variant.logsource for rule in rules for variant in rule.variants}
    found = {one for source in sources for offer in offers(source) for one in _closed(offer, asked)}
    return sorted(found, key=msgspec.structs.astuple)


def offers(source: Source) -> list[Logsource]:
    """What the source's format declares, as the source overrides it; anything where the format declares nothing."""
    declared = getattr(cached_format(source.format), "logsources", None)
    offered: list[Logsource] = declared() if declared is not None else [ANYTHING]
    if source.logsource is None:
        return offered
    said = {part: value for part in PARTS if (value := getattr(source.logsource, part))}
    return [msgspec.structs.replace(one, **said) for one in offered]


def _closed(offer: Logsource, asked: set[Logsource]) -> Iterator[Logsource]:
    opened = [part for part in PARTS if getattr(offer, part) == ANY]
    if not opened:
        yield offer
    for wanted in asked if opened else ():
        yield msgspec.structs.replace(offer, **{part: getattr(wanted, part) for part in opened})
