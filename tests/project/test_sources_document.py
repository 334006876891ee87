"""docs/sources.md: what it tells people to write can be read, ours by our own settings check."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from soc_center.settings import host_port, read_settings

BLOCK = re.compile(r"```yaml\n(.*?)```", re.S)
INTAKE = "127.0.0.1:8760"
HEADING = re.compile(r"^### (.+)$", re.M)


@pytest.fixture
def document(root: Path) -> str:
    return (root / "docs" / "sources.md").read_text("utf-8")


def shipper(document: str, name: str) -> Any:
    """The configuration under a heading."""
    found = BLOCK.search(document, document.index(f"### {name}\n"))
    assert found
    return yaml.safe_load(found[1])


def test_the_port_is_the_one_the_readme_names(root: Path, document: str) -> None:
    assert f"http://{INTAKE}/v1/intake/" in (root / "README.md").read_text("utf-8")
    assert set(re.findall(r"127\.0\.0\.1:(\d+)", document)) == {INTAKE.partition(":")[2]}


def test_our_own_sources_pass_the_settings_check(document: str, tmp_path: Path) -> None:
    sources = [
        one
        for block in BLOCK.findall(document)
        if isinstance(one_block := yaml.safe_load(block), list)
        for one in one_block
    ]
    for source in sources:
        source.update({"key_sha256": f"{len(source['id']):064x}"} if source["transport"] == "http" else {})
    settings = {"version": 1, "name": "x", "units": [{"id": "city-soc", "name": "x"}], "sources": sources}
    path = tmp_path / "fengsui.yml"
    path.write_text(yaml.safe_dump(settings), "utf-8")
    assert {source.format for source in read_settings(path).sources} == {"windows_json", "beats", "syslog"}


@pytest.mark.parametrize("name", ["Filebeat", "Winlogbeat"])
def test_beats_send_here_and_set_nothing_up(document: str, name: str) -> None:
    said = shipper(document, name)
    assert said["output.elasticsearch"]["hosts"] == [f"http://{INTAKE}"]
    assert (said["setup.template.enabled"], said["setup.ilm.enabled"]) == (False, False)
    assert {"username", "password"} <= said["output.elasticsearch"].keys()


def test_others_send_here_too(document: str) -> None:
    host, port = host_port(INTAKE)
    assert shipper(document, "Vector")["sinks"]["fengsui"]["endpoints"] == [f"http://{INTAKE}"]
    (output,) = shipper(document, "Fluent Bit")["pipeline"]["outputs"]
    assert (output["host"], output["port"], output["retry_limit"]) == (host, port, "no_limits")
    assert f'serverport="{port}"' in document


def test_every_shipper_of_the_page_has_a_source_of_that_name(document: str) -> None:
    users = set(re.findall(r"(?:username|user|http_user): ([\w-]+)|uid=\"([\w-]+)\"", document))
    ids = set(re.findall(r"^- id: ([\w-]+)$", document, re.M))
    assert {"".join(pair) for pair in users} <= ids
    assert {"Filebeat", "Winlogbeat", "Vector", "Fluent Bit", "rsyslog"} <= set(HEADING.findall(document))
