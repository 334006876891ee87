"""Syslog and journald sources in fengsui.yml: what is wrong with them is named by file, line and field."""

from pathlib import Path

import pytest

from soc_center.settings import SettingsProblem, read_settings

HEAD = """\
version: 1
name: center
units:
  - {id: u1, name: one}
sources:
"""
SOURCE = "  - {id: %s, name: n, transport: syslog, format: syslog, layer: host, unit: u1, settings: %s%s}\n"
GOOD = '{udp: "127.0.0.1:5514", from: [10.0.0.0/8, "fd00::1"]}'


def read(tmp_path: Path, *sources: str) -> None:
    path = tmp_path / "fengsui.yml"
    path.write_text(HEAD + "".join(sources))
    read_settings(path)


def test_sources_may_share_a_port(tmp_path: Path) -> None:
    read(
        tmp_path, SOURCE % ("a", GOOD, ""), SOURCE % ("b", GOOD.replace("0.0.0/8", "0.0.0/9").replace("::1", "::2"), "")
    )


@pytest.mark.parametrize(
    ("settings", "more", "said"),
    [
        ('{udp: "127.0.0.1:1"}', "", "missing required field `from`"),
        ('{udp: "127.0.0.1:1", from: []}', "", "settings.from"),
        ('{udp: "127.0.0.1:1", from: [somebody]}', "", "'somebody' does not appear to be an IPv4 or IPv6 network"),
        ("{from: [10.0.0.1]}", "", "udp, tcp or both"),
        ('{tcp: "5514", from: [10.0.0.1]}', "", "settings.tcp: must be host:port"),
        ('{tcp: "127.0.0.1:70000", from: [10.0.0.1]}', "", "must be host:port"),
        ('{port: 1, udp: "127.0.0.1:1", from: [10.0.0.1]}', "", "unknown field `port`"),
        (GOOD, ", trust: key", "trust must be none"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, settings: str, more: str, said: str) -> None:
    with pytest.raises(SettingsProblem) as caught:
        read(tmp_path, SOURCE % ("a", settings, more))
    assert caught.value.place == f"{tmp_path / 'fengsui.yml'}:6"
    assert said in str(caught.value)


def test_a_sender_has_one_source_at_a_port(tmp_path: Path) -> None:
    with pytest.raises(SettingsProblem, match=r"10\.0\.0\.0/8 at udp 127\.0\.0\.1:5514 is claimed by 'a' already"):
        read(tmp_path, SOURCE % ("a", GOOD, ""), SOURCE % ("b", GOOD, ""))


def journald(settings: str) -> str:
    return (SOURCE % ("j", settings, "")).replace("transport: syslog", "transport: journald")


@pytest.mark.parametrize("settings", ["{}", "{from: end}"])
def test_journald_begins_at_start_or_end(tmp_path: Path, settings: str) -> None:
    read(tmp_path, journald(settings))


def test_journald_begins_nowhere_else(tmp_path: Path) -> None:
    with pytest.raises(SettingsProblem, match=r"settings\.from"):
        read(tmp_path, journald("{from: middle}"))
