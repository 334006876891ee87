"""What an archive of rules would change: staged, compiled as detection would do it, compared with what runs.

Comes in: an archive in a staging folder. Goes out: a version that waits to be confirmed. Nothing that runs is touched,
and what the archive costs to compile is bounded: its rules that take too much are among the refused.
"""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from soc_center.compiled_rules import CompiledRules
from soc_center.folder import DataFolder
from soc_center.rule_choice import center_choice
from soc_center.rule_compiler import Made, compile_rules
from soc_center.rule_intake import Received
from soc_center.rule_library import RULES, RuleLibrary
from soc_center.rule_paths import RulesAt, rule_paths
from soc_center.settings import Settings
from soc_model.problem import Problem
from soc_model.rule_entry import RuleEntry, Standing
from soc_model.rule_library import ChangedRule, LibraryDiff, LibraryVersion, PendingUpdate, changed
from soc_model.rule_state import RuleOrigin
from soc_store.rule_catalogue import RuleCatalogue

Entries = Mapping[str, RuleEntry]


def stage(
    folder: DataFolder, settings: Settings, staged: Path, received: Received, *, by: str, now: int
) -> PendingUpdate:
    """Make the received archive the version that waits; ``Problem`` where not one rule of it can be evaluated."""
    library, archive = RuleLibrary(folder.rule_library), str(staged / RULES)
    paths = rule_paths(folder, settings.detection)
    others = [each for each in paths if each.path != library.rules_path()]
    after = compile_rules(center_choice(folder, settings, [*others, RulesAt(staged / RULES, RuleOrigin.IMPORTED)]))
    refused = [each for each in after.compiled.ruleset.refused if each.path.startswith(archive)]
    rules = after.compiled.read[archive] - len(refused)
    if rules <= 0:
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
        rules=rules,
        refused=len(refused),
    )
    before = CompiledRules(folder.compiled).get(center_choice(folder, settings, paths))
    return library.put(staged, about, compare(_judged(before, staged), _judged(after, staged)))


def _judged(made: Made, staged: Path) -> Entries:
    """What detection would do with every document, by id."""
    with tempfile.NamedTemporaryFile(dir=staged.parent) as file:
        file.write(made.catalogue)
        file.flush()
        return {each.id: each for each in RuleCatalogue(Path(file.name)).entries()}


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
