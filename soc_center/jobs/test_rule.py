"""test_rule (规则回测): a rule over the sealed events of the last hours or days, before anybody activates it.

The rule comes as text, or by the id of one that the center has. The result counts: hits by day and source, ids of the
first events, the cost of deciding; it holds no content of events.
"""

from typing import Annotated, Any

import msgspec

from soc_center.backtesting import backtest, rule_by_id, rule_of
from soc_center.job_place import Caps, JobPlace
from soc_model.job import Job
from soc_model.layer import Realm
from soc_model.problem import Problem
from soc_model.scope import Scope

CAPS = Caps(memory_bytes=1 << 30, time_s=3600)
ATTEMPTS = 1
YEAR_S = 366 * 86_400


class Params(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``rule`` as YAML, or ``rule_id``; the last ``last_s`` seconds; ``units`` that are looked at, empty for all."""

    last_s: Annotated[int, msgspec.Meta(ge=60, le=YEAR_S)]
    rule: str = ""
    rule_id: str = ""
    units: tuple[str, ...] = ()


def run(job: Job, place: JobPlace) -> dict[str, Any]:
    """What the rule would have found."""
    params = msgspec.convert(job.params, Params)
    if bool(params.rule) == bool(params.rule_id):
        raise Problem("params", "one of rule and rule_id is to be given")
    snapshot = rule_of(params.rule) if params.rule else rule_by_id(place.folder, place.settings, params.rule_id)
    scope = Scope(units=frozenset(params.units) or None, realms=frozenset({Realm.LIVE}))
    now = place.now()
    place.progress(0, 0, "reading segments")
    span = (now - params.last_s * 1_000_000, now)
    found = backtest(place.folder.archive, place.settings, snapshot, scope, span, progress=place.progress)
    result: dict[str, Any] = msgspec.to_builtins(found)
    return result
