"""fengsui.yml: what is wrong in it is named by file, line and field."""

import stat
from pathlib import Path

import pytest

from soc_center.settings import SettingsProblem, host_port, is_loopback, read_settings, write_settings

GOOD = """\
version: 1
name: center
units:
  - {id: u1, name: one}
sources:
  - id: s1
    name: first
    transport: file
    format: syslog
    layer: host
    unit: u1
    settings: {paths: [/tmp/x.log]}
"""

FILE = GOOD[GOOD.index("transport:") :]


def test_good_settings_come_back_as_written(tmp_path: Path) -> None:
    path = tmp_path / "fengsui.yml"
    path.write_text(GOOD)
    settings = read_settings(path)
    write_settings(path, settings, "# heading\n")
    assert read_settings(path) == settings
    assert path.read_text().startswith("# heading\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("version: 1", "version: 7", 1, "version 7 is not known"),
        ("layer: host", "layer: cellar", 10, "$.sources[0].layer"),
        ("unit: u1", "unit: u2", 11, "no unit 'u2'"),
        ("format: syslog", "format: sislog", 9, "no format 'sislog'"),
        ("transport: file", "transport: pigeon", 8, "no transport 'pigeon'"),
        ("transport: file", "transport: http", 12, "unknown field `paths`"),
        (FILE, FILE.replace("file", "http").partition("    settings")[0], 6, "needs key_sha256"),
        ("paths: [/tmp/x.log]", "paths: /tmp/*.log", 12, "$.sources[0].settings.paths: Expected `array`"),
        ("{paths:", "{follow: no thanks, paths:", 12, "$.sources[0].settings.follow"),
        ("{paths:", "{from: middle, paths:", 12, "$.sources[0].settings.from"),
        ("units:", "detection: {workers: 0}\nunits:", 3, "$.detection.workers"),
        ("units:", "archive: {seal_s: .inf}\nunits:", 3, "$.archive.seal_s"),
        ("units:", "archive: {retention_days: 179}\nunits:", 3, "need a retention_decision"),
        ("units:", "archive: {retention_days: 9, retention_decision: ' '}\nunits:", 3, "who, when, why"),
        ("units:", "archive:\n  min_free_bytes: 9\n  retention_days: 0\nunits:", 5, "$.archive.retention_days"),
        ("units:", "archive: {checkpoints: proofs}\nunits:", 3, "must be an absolute path"),
        ("units:", "archive: {min_free_bytes: -1}\nunits:", 3, "$.archive.min_free_bytes"),
        ("    layer: host", "    lair: host", 6, "lair"),
        ("name: center", "name: [", 4, "expected"),
        ("settings:", "options: {zone: Mars/Olympus}\n    settings:", 12, "no time zone 'Mars/Olympus'"),
        ("settings:", "options: {codec: runes}\n    settings:", 12, "no codec 'runes'"),
        ("format: syslog", "format: evtx", 12, "read whole"),
        ("settings:", "options: {inner: syslog}\n    settings:", 12, "only the format beats carries"),
        ("format: syslog", "format: beats\n    options: {inner: beats}", 10, "no format 'beats' for carried text"),
        ("format: syslog", "format: beats\n    options: {inner: 5}", 10, "no format 5 for carried text"),
        ("units:", "listen: {console: nowhere}\nunits:", 3, "host:port"),
    ],
)
def test_what_is_wrong_is_named_by_line(tmp_path: Path, old: str, new: str, line: int, said: str) -> None:
    path = tmp_path / "fengsui.yml"
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(SettingsProblem) as caught:
        read_settings(path)
    assert caught.value.place == f"{path}:{line}"
    assert said in str(caught.value)


@pytest.mark.parametrize("field", ["checkpoints", "checkpoint_key"])
def test_checkpoints_do_not_lie_in_what_they_prove(tmp_path: Path, field: str) -> None:
    path = tmp_path / "fengsui.yml"
    path.write_text(GOOD + f"archive:\n  {field}: {tmp_path}/x/../proofs\n")
    with pytest.raises(SettingsProblem, match=rf":14: \$\.archive\.{field}: must be outside"):
        read_settings(path)


def test_less_than_the_law_asks_for_is_a_recorded_decision(tmp_path: Path) -> None:
    path = tmp_path / "fengsui.yml"
    path.write_text(GOOD + "archive: {retention_days: 30, retention_decision: 'Li, 2026-01-01, test machine'}\n")
    assert read_settings(path).archive.retention_days == 30


def test_the_same_id_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "fengsui.yml"
    path.write_text(GOOD + GOOD[GOOD.index("  - id: s1") :])
    with pytest.raises(SettingsProblem, match="there twice"):
        read_settings(path)


def test_a_missing_file_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(SettingsProblem, match="cannot be read"):
        read_settings(tmp_path / "none.yml")


@pytest.mark.parametrize(("listen", "loopback"), [("127.0.0.1:1", True), ("[::1]:1", True), ("0.0.0.0:1", False)])
def test_loopback_is_known(listen: str, loopback: bool) -> None:
    assert is_loopback(listen) is loopback


@pytest.mark.parametrize("listen", ["8740", ":8740", "host:", "host:99999", "host:x"])
def test_what_is_no_address_is_refused(listen: str) -> None:
    with pytest.raises(ValueError):
        host_port(listen)
