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


def journalctl(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A journalctl on the PATH."""
    put(root, "/bin/journalctl", 0o755)
    monkeypatch.setenv("PATH", str(root / "bin"))


@pytest.mark.parametrize("folder", ["/var/log/journal/0a1b", "/run/log/journal/0a1b"])
def test_the_journal_replaces_what_syslog_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    journalctl(tmp_path, monkeypatch)
    paths = ("syslog", "auth.log", "kern.log", "cron.log", "mail.log", "dpkg.log")
    for path in (*(f"/var/log/{name}" for name in paths), f"{folder}/system.journal"):
        put(tmp_path, path)
    found = local_logs("u1", tmp_path)
    assert [source.id for source in found.sources] == ["local-journal", "local-packages"]
    assert (found.sources[0].transport, found.sources[0].format) == ("journald", "journald")
    assert found.unreadable == []


def test_a_journal_that_may_not_be_read_is_named_and_files_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journalctl(tmp_path, monkeypatch)
    put(tmp_path, "/var/log/syslog")
    put(tmp_path, "/var/log/journal/0a1b/system.journal")
    monkeypatch.setattr("os.access", lambda path, mode: Path(path).suffix != ".journal")
    found = local_logs("u1", tmp_path)
    assert found.unreadable == ["/var/log/journal/0a1b/system.journal"]
    assert [source.id for source in found.sources] == ["local-syslog"]


def test_a_journal_without_journalctl_leaves_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    put(tmp_path, "/var/log/syslog")
    put(tmp_path, "/var/log/journal/0a1b/system.journal")
    assert [source.id for source in local_logs("u1", tmp_path).sources] == ["local-syslog"]
