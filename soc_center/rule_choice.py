"""What decides which rules there are and what becomes of each, as plain data.

Comes in: the settings, what people decided of rules, what was put aside. Goes out: all of it in one piece, for the
process that reads the rules and for the key under which their compiled form is kept. Light: no rule is read for it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from soc_center.dear_rules import DearRules, PutAside
from soc_center.folder import DataFolder
from soc_center.rule_library import RuleLibrary
from soc_center.rule_paths import RulesAt
from soc_center.rule_states import read_states
from soc_center.settings import Settings
from soc_model.layer import Layer, Level
from soc_model.rule_state import RuleOrigin, RuleState
from soc_model.source import Source

SiteLists = dict[str, list[str]]


class RuleChoice(msgspec.Struct, frozen=True, kw_only=True):
    """``paths`` in reading order, each with who wrote what is there; ``min_level`` is for imported rules.

    ``states``: what people decided, by rule id. ``aside``: rules that were put aside, by the SHA-256 of their text.
    ``site``: the site's lists by name. ``sources``: who may feed the rules. ``as_written``: rules on their own, not a
    center's: each document is active whatever its status, and the level is for all.
    """

    paths: tuple[tuple[str, RuleOrigin], ...]
    min_level: Level = Level.INFORMATIONAL
    states: dict[str, RuleState] = {}
    aside: dict[str, PutAside] = {}
    site: SiteLists = {}
    sources: tuple[Source, ...] = ()
    as_written: bool = False


def center_choice(folder: DataFolder, settings: Settings, paths: Sequence[RulesAt]) -> RuleChoice:
    """The rules at the paths as the center takes them; ``Problem`` where a file that says so is damaged."""
    return RuleChoice(
        paths=tuple((str(path), origin) for path, origin in paths),
        min_level=settings.detection.min_level,
        states=read_states(RuleLibrary(folder.rule_library)),
        aside=DearRules(folder.dear_rules).all(),
        site=site_values(settings),
        sources=_feeding(settings.sources),
    )


def rules_as_written(
    paths: Sequence[Path], *, min_level: Level = Level.INFORMATIONAL, site: Mapping[str, list[str]] | None = None
) -> RuleChoice:
    """The rules at the paths by themselves, of at least that level."""
    ours = tuple((str(path), RuleOrigin.OURS) for path in paths)
    return RuleChoice(paths=ours, min_level=min_level, site=dict(site or {}), as_written=True)


def _feeding(sources: Sequence[Source]) -> tuple[Source, ...]:
    """Only what says which rules they can feed, so that another address or key is no other choice."""
    bare = Source(id="", name="", transport="", format="", layer=Layer.HOST, unit="")
    return tuple(
        msgspec.structs.replace(bare, format=name, logsource=logsource)
        for name, logsource in dict.fromkeys((source.format, source.logsource) for source in sources)
    )


def site_values(settings: Settings) -> SiteLists:
    """The site's lists by name, as rules ask for them."""
    return {name: list(map(str, values)) for name, values in settings.detection.placeholders.items()}
