"""What an archive of rules would change: staged, read as detection would read it, compared with what runs.

Comes in: an archive in a staging folder. Goes out: a version that waits to be confirmed. Nothing that runs is touched.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from detection_rules.rule import RuleSet
from soc_center.folder import DataFolder
from soc_center.rule_entries import entries
from soc_center.rule_intake import Received
from soc_center.rule_library import RULES, RuleLibrary
from soc_center.rules_reading import ReadRules, read_rules
from soc_center.rules_wanted import RulesWanted, rules_wanted
from soc_center.settings import Settings
from soc_model.problem import Problem
from soc_model.rule_entry import RuleEntry, Standing
from soc_model.rule_library import ChangedRule, LibraryDiff, LibraryVersion, PendingUpdate, changed

Entries = Mapping[str, RuleEntry]


def stage(
    folder: DataFolder, settings: Settings, staged: Path, received: Received, *, by: str, now: int
) -> PendingUpdate:
    """Make the received archive the version that waits; ``Problem`` where not one rule of it can be evaluated."""
    archive = staged / RULES
    read, ruleset = _load(rules_wanted(folder, settings, library=archive))
    refused = [each for each in ruleset.refused if each.path.startswith(str(archive))]
    documents = sum(placed.document.path.startswith(str(archive)) for placed in read.placed)
    unread = sum(refusal.path.startswith(str(archive)) for refusal, _ in read.refused)
    if documents + unread <= len(refused):
        why = refused[0].reason if refused else "it holds no rule"
        raise Problem(received.source, f"not one rule of it can be evaluated: {why}")
    about = LibraryVersion(
        version=0,
        sha256=received.sha256,
        size_bytes=received.size_bytes,
        source=received.source,
        proof=received.proof,
        staged=now,
        staged_by=by,
        rules=documents + unread - len(refused),
        refused=len(refused),
    )
    before, after = _judged(*_load(rules_wanted(folder, settings))), _judged(read, ruleset)
    return RuleLibrary(folder.rule_library).put(staged, about, compare(before, after))


def _load(wanted: RulesWanted) -> tuple[ReadRules, RuleSet]:
    read = read_rules(wanted)
    return read, read.load()


def _judged(read: ReadRules, ruleset: RuleSet) -> Entries:
    """What detection would do with every document, by id."""
    return {each.entry.id: each.entry for each in entries(read, ruleset.rules, ruleset.refused, [])}


def compare(before: Entries, after: Entries) -> LibraryDiff:
    """What comes, goes and changes from one to the other, and what would run that did not, and the reverse."""
    both = before.keys() & after.keys()
    refused = {rule_id for rule_id, each in after.items() if each.standing is Standing.REFUSED}
    differ = {rule_id for rule_id in both if before[rule_id].content_sha256 != after[rule_id].content_sha256}
    running, will = _running(before), _running(after)
    return LibraryDiff(
        added=changed(list(_named(after, after.keys() - both - refused))),
        removed=changed(list(_named(before, before.keys() - both))),
        changed=changed(list(_named(after, differ - refused))),
        newly_refused=changed(list(_named(after, refused - _refused(before)))),
        will_run=changed(list(_named(after, will - running))),
        will_stop=changed(list(_named(before, running - will))),
    )


def _running(found: Entries) -> set[str]:
    return {rule_id for rule_id, each in found.items() if each.standing is Standing.RUNS}


def _refused(found: Entries) -> set[str]:
    return {rule_id for rule_id, each in found.items() if each.standing is Standing.REFUSED}


def _named(found: Entries, ids: set[str]) -> Iterator[ChangedRule]:
    for rule_id in ids:
        each = found[rule_id]
        yield ChangedRule(
            id=rule_id, title=each.title, title_zh=each.title_zh, level=each.level, state=each.state, why=each.reason
        )
