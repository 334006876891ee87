"""Rules for tests of the app: a catalogue as detection leaves it, and a library with an update that waits."""

import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

from soc_center.folder import DataFolder
from soc_center.gauge import now_us
from soc_center.rule_library import RULES, RuleLibrary
from soc_model.layer import Level
from soc_model.rule_entry import CatalogueHead, RuleEntry, RuleWhole, Standing
from soc_model.rule_library import ChangedRule, LibraryDiff, LibraryVersion, PendingUpdate, changed
from soc_model.rule_state import RuleOrigin, RuleState
from soc_store.rule_catalogue import make_catalogue
from tests.api.world import HOSTILE, World, a_card

SSH = "8f0a2c1e-0b8e-4a3e-9b1e-1c2d3e4f5a6b"
TEXT = "title: Brute force against SSH\nlogsource: {product: linux, service: sshd}\n"


def a_rule(rule_id: str = SSH, **changes: Any) -> RuleWhole:
    """A rule that runs."""
    given: dict[str, Any] = {
        "id": rule_id,
        "title": "Brute force against SSH",
        "title_zh": "SSH 口令暴力破解",
        "level": Level.HIGH,
        "origin": RuleOrigin.IMPORTED,
        "state": RuleState.ACTIVE,
        "first_state": RuleState.ACTIVE,
        "standing": Standing.RUNS,
        "content_sha256": "ab" * 32,
        "path": "rules.zip!rules/linux/ssh.yml",
        "line": 1,
        "status": "stable",
        "product": "linux",
        "service": "sshd",
    }
    entry = RuleEntry(**given | changes)
    card = a_card(id=rule_id, title=entry.title, title_zh=entry.title_zh, level=entry.level)
    return RuleWhole(entry=entry, text=TEXT, card=card)


def some_rules() -> list[RuleWhole]:
    """One of each kind that the pages show."""
    test, gone = RuleState.TEST, RuleState.RETIRED
    return [
        a_rule(),
        a_rule("rule-trial", title="Encoded PowerShell", title_zh="", state=test, first_state=test, product="windows"),
        a_rule("rule-refused", title="With a placeholder", standing=Standing.REFUSED, reason="placeholder %x%"),
        a_rule("rule-low", title="Of little weight", level=Level.LOW, standing=Standing.BELOW),
        a_rule("rule-silent", title="Of a product that is not here", product="okta", no_source=True),
        a_rule("rule-idle", title="Old", state=gone, first_state=gone, standing=Standing.IDLE, status="deprecated"),
        a_rule("rule-own", title="Ours", origin=RuleOrigin.OURS, layer="data", needs=("domain_controllers",)),
        a_rule("rule-hostile", title=HOSTILE, title_zh=HOSTILE, path=HOSTILE, reason=HOSTILE),
    ]


def list_them(world: World, rules: list[RuleWhole] | None = None) -> None:
    """Leave a catalogue of these rules, as detection does."""
    folder = DataFolder(world.folder)
    head = CatalogueHead(snapshot="s" * 32, made=world.now_us)
    made = folder.rule_catalogue.with_suffix(".new")
    make_catalogue(made, head, some_rules() if rules is None else rules)
    made.replace(folder.rule_catalogue)


def stage_update(folder: Path, content: bytes = b"rules", title: str = "New rule") -> PendingUpdate:
    """Have an archive wait to be confirmed."""
    library = RuleLibrary(DataFolder(folder).rule_library)
    staged = library.staging()
    with zipfile.ZipFile(staged / RULES, "w") as archive:
        archive.writestr("rule.yml", content)
    packed = (staged / RULES).read_bytes()
    about = LibraryVersion(
        version=0,
        sha256=sha256(packed).hexdigest(),
        size_bytes=len(packed),
        source="https://rules.example/sigma.zip",
        proof="SHA-256",
        staged=now_us(),
        staged_by="ann",
        rules=1,
    )
    added = changed([ChangedRule(id="rule-new", title=title, level=Level.HIGH, state=RuleState.TEST)])
    refused = changed([ChangedRule(id="rule-bad", title=HOSTILE, level=Level.LOW, why=HOSTILE)])
    return library.put(staged, about, LibraryDiff(added=added, will_run=added, newly_refused=refused))
