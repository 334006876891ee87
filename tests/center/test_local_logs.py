"""This machine's logs: readable ones become sources, the others are named."""

from pathlib import Path

import pytest

from soc_center.local_logs import local_logs, local_zone
from soc_model.layer import Layer, Realm


def put(root: Path, path: str, mode: int = 0o644) -> None:
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("x\n")
    file.chmod(mode)


def test_what_is_there_becomes_live_host_sources(tmp_path: Path) -> None:
    put(tmp_path, "/var/log/syslog")
    put(tmp_path, "/var/log/auth.log")
    found = local_logs("u1", tmp_path)
    assert [source.id for source in found.sources] == ["local-syslog", "local-auth"]
    assert {(source.layer, source.realm, source.unit) for source in found.sources} == {(Layer.HOST, Realm.LIVE, "u1")}
    assert found.sources[0].settings["paths"] == [str(tmp_path / "var/log/syslog")]


def test_what_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "/var/log/syslog")
    put(tmp_path, "/var/log/secure", 0o000)
    secret = tmp_path / "var/log/secure"
    monkeypatch.setattr("os.access", lambda path, mode: Path(path) != secret)  # root may read everything
    found = local_logs("u1", tmp_path)
    assert found.unreadable == ["/var/log/secure"]
    assert [source.id for source in found.sources] == ["local-syslog"]


def test_a_machine_without_logs_has_no_sources(tmp_path: Path) -> None:
    assert local_logs("u1", tmp_path).sources == []


def test_the_zone_has_a_name() -> None:
    assert local_zone()
