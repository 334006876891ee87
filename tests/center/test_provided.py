"""Which rules no configured source can feed."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from collectors.format import format_names
from detection_rules.library import read_documents
from detection_rules.ruleset import load_rules
from soc_center.cli import app
from soc_center.pipeline import cached_format
from soc_center.provided import offers, provided
from soc_center.rule_paths import OWN_RULES
from soc_model.layer import Layer
from soc_model.source import Logsource, Source

RULES = load_rules(read_documents([OWN_RULES]).documents)


def source(format_name: str, **changes: Any) -> Source:
    given = {"id": "s", "name": "s", "transport": "http", "format": format_name, "layer": Layer.HOST, "unit": "u"}
    return Source(**given | changes)


def silent(*sources: Source) -> set[str]:
    """The folder names of our own rules that nothing feeds."""
    return {Path(rule.path).stem for rule in RULES.unsourced(provided(sources, RULES.rules))}


def test_without_sources_every_rule_is_silent() -> None:
    assert silent() == {Path(rule.path).stem for rule in RULES.rules}
    assert len(silent()) > 20


@pytest.mark.parametrize(
    ("format_name", "fed", "not_fed"),
    [
        ("syslog", "sshd_password_guessing", "kubernetes_pod_shares_host"),
        ("windows_json", "office_starts_encoded_powershell", "sshd_password_guessing"),
        ("evtx", "windows_security_log_cleared", "dns_tunnel_long_txt_query"),
        ("kubernetes_audit", "kubernetes_pod_shares_host", "sshd_password_guessing"),
        ("zeek", "dns_tunnel_long_txt_query", "lsass_memory_read"),
        ("nginx_json", "sql_injection_in_query", "database_dump_by_account"),
        ("database_audit", "database_dump_by_account", "sql_injection_in_query"),
    ],
)
def test_each_format_feeds_its_rules_and_no_others(format_name: str, fed: str, not_fed: str) -> None:
    left = silent(source(format_name))
    assert fed not in left
    assert not_fed in left


def test_plain_json_feeds_what_its_source_says_it_is() -> None:
    assert silent(source("json")) == silent()
    said = source("json", logsource=Logsource(category="webserver"))
    assert silent(said) == silent(source("nginx_json")) != silent()


@pytest.mark.parametrize("format_name", format_names())
def test_what_samples_carry_is_what_the_format_declares(format_name: str) -> None:
    """Every event of every sample of a format is covered by what the format offers."""
    form, folder = cached_format(format_name), Path(__file__).parents[1] / "collectors" / "samples" / format_name
    offered = offers(source(format_name))
    for path in folder.glob("*"):
        found = form.cut(path.read_bytes(), {}, True)
        for group in form.parse(found.records, {**found.context, "received": 1_772_500_000_000_000}, lambda _: None):
            assert any(carries(offer, group.type.logsource) for offer in offered), (path.name, group.type)


def carries(offer: Logsource, event: Logsource) -> bool:
    pairs = [(getattr(offer, part), getattr(event, part)) for part in ("product", "category", "service")]
    return all(one in ("*", other) for one, other in pairs)


def test_the_check_lists_and_counts_them_and_is_no_error(tmp_path: Path) -> None:
    settings = {
        "version": 1,
        "name": "c",
        "units": [{"id": "u", "name": "u"}],
        "sources": [{**{k: getattr(source("zeek"), k) for k in ("id", "name", "transport", "format", "unit")}}],
    }
    settings["sources"][0] |= {"layer": "network", "key_sha256": "ab" * 32}
    (tmp_path / "fengsui.yml").write_text(yaml.safe_dump(settings))
    done = CliRunner().invoke(app, ["rules", "check", "--data", str(tmp_path)])
    assert done.exit_code == 0
    lines = [line for line in done.stdout.splitlines() if line.startswith("no source ")]
    assert any("sshd_password_guessing.yml:" in line and "(linux//sshd)" in line for line in lines)
    assert done.stdout.splitlines()[-1] == f"{len(lines)} of {len(RULES.rules)} rules have no source among the 1 there"
    assert "no source" not in CliRunner().invoke(app, ["rules", "check"]).stdout
