"""What the drill proved: expectations against the alerts of realm drill. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from soc_center.drill.campaign import Expectation
from soc_center.drill.scenario import Scenario, Step
from soc_model.alert import Alert
from soc_model.layer import Layer, Realm

CLOCK_US = 1_000_000  # access logs write whole seconds, so an event may seem up to one second older than its record

LAYERS_ZH = {
    Layer.TERMINAL: "终端",
    Layer.HOST: "主机",
    Layer.NETWORK: "网络",
    Layer.PLATFORM: "平台",
    Layer.DATA: "数据",
    Layer.APPLICATION: "应用",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An expectation that came true, and how long after its record the alert was there."""

    expectation: Expectation
    alert: Alert
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Every expectation is either found or missed; ``extra`` are alerts of this drill that nobody expected."""

    found: Sequence[Found]
    missed: Sequence[Expectation]
    extra: Sequence[Alert]

    @property
    def exit_code(self) -> int:
        """0 when all was found, else 1."""
        return 1 if self.missed else 0


def judge(expectations: Sequence[Expectation], began: Mapping[str, int], alerts: Iterable[Alert]) -> Verdict:
    """Which expectations came true; ``began`` is when each step's first record was made.

    Only alerts of realm drill with events since the campaign began count. An alert that was open before is a match as
    soon as it was updated after the step.
    """
    start = min(began.values(), default=0) - CLOCK_US
    ours = [alert for alert in alerts if alert.realm is Realm.DRILL and alert.last_seen >= start]
    found, missed = list[Found](), list[Expectation]()
    for item in expectations:
        at = began[item.step]
        alert = next((alert for alert in ours if _answers(alert, item, at)), None)
        if alert is None:
            missed.append(item)
        else:
            found.append(Found(expectation=item, alert=alert, seconds=_seconds(alert, at)))
    wanted = [alert for alert in ours if any(_answers(alert, item, began[item.step]) for item in expectations)]
    return Verdict(found=found, missed=missed, extra=[alert for alert in ours if alert not in wanted])


def report(verdict: Verdict, scenario: Scenario, language: str) -> str:
    """The verdict as lines of text in ``zh`` or ``en``: what was found and how fast, what was missed or extra."""
    steps = {step.id: step for step in scenario.steps}
    chinese = language == "zh"
    lines = [_headline(verdict, scenario, chinese)]
    lines += [_found_line(one, steps, chinese) for one in verdict.found]
    lines += [_missed_line(item, steps, chinese) for item in verdict.missed]
    lines += [_extra_line(alert, chinese) for alert in verdict.extra]
    return "\n".join(lines)


def _answers(alert: Alert, item: Expectation, began: int) -> bool:
    """Whether the alert is the one expected of a step that began then."""
    named = any(item.entity in values for values in alert.entities.values())
    fresh = alert.last_seen >= began - CLOCK_US and alert.updated >= began
    return alert.rule.id == item.rule_id and alert.layer is item.layer and named and fresh


def _seconds(alert: Alert, began: int) -> float:
    """From the record that made the alert (event time; the step's first record where that is coarser) to the alert."""
    new = alert.created >= began
    seen, event = (alert.created, alert.first_seen) if new else (alert.updated, alert.last_seen)
    return max(0, seen - max(began, event)) / 1_000_000


def _headline(verdict: Verdict, scenario: Scenario, chinese: bool) -> str:
    waits = [one.seconds for one in verdict.found]
    middle, longest = (median(waits), max(waits)) if waits else (0.0, 0.0)
    found, missed, extra = len(verdict.found), len(verdict.missed), len(verdict.extra)
    total = found + missed
    if chinese:
        return (
            f"{scenario.name_zh}：发现 {found}/{total}，漏报 {missed}，额外告警 {extra}；"
            f"从记录到告警中位 {middle:.1f} 秒，最长 {longest:.1f} 秒"
        )
    return (
        f"{scenario.name}: found {found} of {total}, missed {missed}, extra {extra}; "
        f"record to alert: median {middle:.1f} s, longest {longest:.1f} s"
    )


def _found_line(one: Found, steps: Mapping[str, Step], chinese: bool) -> str:
    title = (one.alert.rule.title_zh or one.alert.rule.title) if chinese else one.alert.rule.title
    place = _place(one.expectation, steps, chinese)
    return f"  {'发现' if chinese else 'found '} {one.seconds:5.1f} s  {place}  {title}"


def _missed_line(item: Expectation, steps: Mapping[str, Step], chinese: bool) -> str:
    place = _place(item, steps, chinese)
    return f"  {'漏报' if chinese else 'MISSED'}      -  {place}  {'规则' if chinese else 'rule'} {item.rule_id}"


def _place(item: Expectation, steps: Mapping[str, Step], chinese: bool) -> str:
    step = steps[item.step]
    layer = LAYERS_ZH[item.layer] if chinese else item.layer.value
    return f"{layer}  {step.technique}  {step.name_zh if chinese else step.name} ({item.entity})"


def _extra_line(alert: Alert, chinese: bool) -> str:
    title = (alert.rule.title_zh or alert.rule.title) if chinese else alert.rule.title
    layer = LAYERS_ZH[alert.layer] if chinese else alert.layer.value
    return f"  {'额外' if chinese else 'extra '}      -  {layer}  {title}"
