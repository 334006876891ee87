"""What pySigma's official pipelines make of a logsource: conditions they add and names they give its fields.

The pipelines are applied to a probe rule of each distinct logsource, and to a probe of each field, instead of to
thousands of rules: the answer depends on nothing else. Windows only; other products are mapped by their formats.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from sigma.exceptions import SigmaError
from sigma.pipelines.sysmon.sysmon import sysmon_pipeline
from sigma.pipelines.windows.windows import windows_audit_pipeline, windows_logsource_pipeline
from sigma.processing.pipeline import ProcessingPipeline
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaDetections, SigmaLogSource, SigmaRule
from sigma.types import SigmaString

from soc_model.source import Logsource

PROBE = "probe"
PRODUCT = "windows"


@dataclass(slots=True)
class Mapping:
    """One pipeline's view of one logsource: the detections it adds, the events it means, the names it gives."""

    logsource: Logsource
    pipeline: ProcessingPipeline
    rule_logsource: SigmaLogSource
    added: tuple[SigmaDetection, ...]
    renamed: dict[str, tuple[str, ...] | None] = field(default_factory=dict)

    def names(self, name: str) -> tuple[str, ...] | None:
        """The field's names in these events; ``None`` where the pipeline says there is none."""
        if name not in self.renamed:
            self.renamed[name] = _renamed(self.pipeline, self.rule_logsource, name)
        return self.renamed[name]


class OfficialPipelines:
    """Mappings by logsource, made once each."""

    def __init__(self) -> None:
        self._mappings: dict[Logsource, tuple[Mapping, ...]] = {}

    @cached_property
    def _pipelines(self) -> tuple[ProcessingPipeline, ...]:
        channels = windows_logsource_pipeline()
        return (channels, sysmon_pipeline() + channels, windows_audit_pipeline() + channels)

    def mappings(self, logsource: Logsource) -> tuple[Mapping, ...]:
        """The mappings beside the rule's own reading of it; empty for what the pipelines leave alone."""
        if logsource.product != PRODUCT:
            return ()
        if logsource not in self._mappings:
            self._mappings[logsource] = tuple(self._made(logsource))
        return self._mappings[logsource]

    def _made(self, logsource: Logsource) -> Iterator[Mapping]:
        seen: list[tuple[SigmaDetection, ...]] = []
        for pipeline in self._pipelines:
            source = SigmaLogSource(logsource.category or None, logsource.product or None, logsource.service or None)
            rule = _applied(pipeline, source, PROBE)
            added = tuple(found for name, found in rule.detection.detections.items() if name != PROBE)
            if added and added not in seen:
                seen.append(added)
                yield Mapping(Logsource(product=PRODUCT), pipeline, source, added)


def _applied(pipeline: ProcessingPipeline, logsource: SigmaLogSource, name: str) -> SigmaRule:
    item = SigmaDetectionItem(name, [], [SigmaString(PROBE)])
    detections = SigmaDetections(detections={PROBE: SigmaDetection([item])}, condition=[PROBE])
    rule = SigmaRule(title=PROBE, logsource=logsource, detection=detections)
    pipeline.apply(rule)
    return rule


def _renamed(pipeline: ProcessingPipeline, logsource: SigmaLogSource, name: str) -> tuple[str, ...] | None:
    try:
        rule = _applied(pipeline, logsource, name)
    except SigmaError:
        return None
    return tuple(_fields(rule.detection.detections[PROBE]))


def _fields(detection: SigmaDetection) -> Iterator[str]:
    for item in detection.detection_items:
        if isinstance(item, SigmaDetection):
            yield from _fields(item)
        elif item.field is not None:
            yield item.field
