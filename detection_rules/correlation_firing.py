"""Firings: a spell of one correlation as an event of another that builds on it."""

from detection_rules.correlation_tally import number_of
from detection_rules.correlation_window import SECOND_US, Spell, Windows
from soc_model.correlation import Correlation, CorrelationType, Partial

_NUMBERS = (
    CorrelationType.VALUE_SUM,
    CorrelationType.VALUE_AVG,
    CorrelationType.VALUE_PERCENTILE,
    CorrelationType.VALUE_MEDIAN,
)


def firing_of(windows: Windows, spell: Spell, spell_id: str, upper: Correlation) -> Partial | None:
    """The spell as one event of ``upper``, at the time its condition first held; None where it lacks a value asked for.

    Such an event has the group values of its own correlation as fields, and no others.
    """
    lower = windows.correlation
    fields = dict(zip(lower.group_by, windows.group, strict=True))
    group = [fields.get(upper.field_of(lower.id, name)) for name in upper.group_by]
    if any(value is None for value in group):
        return None
    at = windows.held_at(spell)
    counted = [fields.get(upper.field_of(lower.id, name)) for name in upper.fields]
    known = [value for value in counted if value is not None]
    number = number_of(known[0]) if known else None
    if len(known) < len(counted) or (upper.type in _NUMBERS and number is None):
        return None
    return Partial(
        correlation=upper.id,
        rule=lower.id,
        layer=windows.layer,
        unit=windows.unit,
        realm=windows.realm,
        source_id=windows.source_id,
        group=tuple(value for value in group if value is not None),
        second=at // SECOND_US,
        count=1,
        first=at,
        last=at,
        samples=[(at, spell_id)],
        entities={name: values[0] for name, values in spell.entities.items() if values},
        values={"\0".join(known): 1} if known else {},
        total=number or 0.0,
        numbers=int(number is not None),
    )
