"""An update of the rules: proved, staged, compared with what runs, confirmed on the terminal, taken back."""

import base64
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from soc_center import rule_intake
from soc_center.cli import app
from soc_center.folder import DataFolder
from soc_center.prepare import prepare
from soc_center.rule_intake import Proof, Received, receive
from soc_center.rule_library import RULES, RuleLibrary
from soc_center.rule_states import write_states
from soc_center.rule_update import stage
from soc_center.rules_loading import load_center_rules
from soc_center.settings import Detection, OutboundSettings, Settings, read_settings, write_settings
from soc_center.way_out import open_way_out, own_ports
from soc_model.audit import AuditFilter
from soc_model.person import Actor
from soc_model.problem import Problem
from soc_model.rule_library import PendingUpdate
from soc_model.rule_state import RuleState
from soc_store.signing_key import SigningKey
from soc_store.state import State
from tests.center.answering import driver, serving

RULE = """
title: {title}
id: 00000000-0000-4000-8000-00000000000{n}
status: {status}
level: {level}
logsource: {{product: killtest}}
detection:
    x: {{a: '{value}'}}
    condition: x
"""


def rule(n: int, level: str = "high", status: str = "stable", value: str = "1", title: str = "Rule") -> str:
    return RULE.format(n=n, level=level, status=status, value=value, title=f"{title} {n}")


def ident(n: int) -> str:
    return f"00000000-0000-4000-8000-00000000000{n}"


def archive(path: Path, *texts: str) -> Path:
    with zipfile.ZipFile(path, "w") as packed:
        for number, text in enumerate(texts):
            packed.writestr(f"rules/{number}.yml", text)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    """A data directory whose only rules are those of the library and ours."""
    made = DataFolder(tmp_path / "data").make()
    write_settings(made.settings, Settings(version=1, name="t", units=[], sources=[]))
    prepare(made, "evaluation", {})
    return made


@pytest.fixture
def state(folder: DataFolder) -> Iterator[State]:
    opened = State.open(folder.state_url)
    yield opened
    opened.close()


def staged(folder: DataFolder, path: Path) -> PendingUpdate:
    place = RuleLibrary(folder.rule_library).staging()
    received = receive(str(path), Proof(), place, driver())
    return stage(folder, read_settings(folder.settings), place, received, by="ann", now=1)


def let_in(folder: DataFolder, path: Path) -> None:
    about = staged(folder, path).version
    RuleLibrary(folder.rule_library).confirm(about.version, about.sha256, "ann", 1, lambda _: None)


def test_the_difference_says_what_comes_goes_changes_and_runs(folder: DataFolder, tmp_path: Path) -> None:
    let_in(folder, archive(tmp_path / "a.zip", rule(1), rule(2), rule(3, "low"), rule(4), rule(5)))
    broken = rule(5).replace("condition: x", "condition: y")
    after = [rule(1), rule(2, value="2"), rule(3, "medium"), broken, rule(6), rule(7, status="experimental")]
    diff = staged(folder, archive(tmp_path / "b.zip", *after, rule(8, status="deprecated"))).diff
    names = {kind: {each.id for each in getattr(diff, kind).rules} for kind in diff.__struct_fields__}
    assert names == {
        "added": {ident(6), ident(7), ident(8)},
        "removed": {ident(4)},
        "changed": {ident(2), ident(3)},
        "newly_refused": {ident(5)},
        "will_run": {ident(3), ident(6), ident(7)},
        "will_stop": {ident(4), ident(5)},
    }
    assert {each.id: each.state.value for each in diff.added.rules} == {
        ident(6): "active",
        ident(7): "test",
        ident(8): "retired",
    }
    assert {level.value: n for level, n in diff.will_run.by_level.items()} == {"high": 2, "medium": 1}


def test_staging_leaves_what_runs_alone(folder: DataFolder, tmp_path: Path) -> None:
    settings = read_settings(folder.settings)
    before = load_center_rules(folder, settings).snapshot.id
    staged(folder, archive(tmp_path / "a.zip", rule(1)))
    assert load_center_rules(folder, settings).snapshot.id == before
    let_in(folder, tmp_path / "a.zip")
    assert ident(1) in load_center_rules(folder, settings).snapshot.cards


@pytest.mark.parametrize("texts", [(), ("title: none\n",), ("a: [",)])
def test_an_archive_without_one_good_rule_is_refused(
    folder: DataFolder, tmp_path: Path, texts: tuple[str, ...]
) -> None:
    with pytest.raises(Problem, match="not one rule"):
        staged(folder, archive(tmp_path / "a.zip", *texts))
    assert RuleLibrary(folder.rule_library).pending() is None


def test_a_folder_is_packed_without_its_links(folder: DataFolder, tmp_path: Path) -> None:
    rules = tmp_path / "rules" / "deep"
    rules.mkdir(parents=True)
    (rules / "one.yml").write_text(rule(1))
    (rules / "two.yml").symlink_to(folder.settings)
    (rules / "other.txt").write_text("not a rule")
    first, again = staged(folder, tmp_path / "rules").version, staged(folder, tmp_path / "rules").version
    assert (first.rules, first.refused, first.sha256) == (1, 0, again.sha256)


def test_a_pinned_digest_and_a_signature_are_held_to(tmp_path: Path) -> None:
    path, place = archive(tmp_path / "a.zip", rule(1)), tmp_path / "staged"
    place.mkdir()
    content, signer = path.read_bytes(), SigningKey(Ed25519PrivateKey.generate())
    (tmp_path / "key.pem").write_bytes(signer.public.pem())
    (tmp_path / "raw.sig").write_bytes(signer.sign(content))
    (tmp_path / "text.sig").write_bytes(base64.b64encode(signer.sign(content)) + b"\n")
    (tmp_path / "other.sig").write_bytes(signer.sign(b"something else"))
    digest, key = sha256(content).hexdigest(), tmp_path / "key.pem"
    assert receive(str(path), Proof(sha256=digest.upper()), place, driver()).proof == "SHA-256"
    for name in ("raw.sig", "text.sig"):
        found = receive(str(path), Proof(signature=tmp_path / name, key=key), place, driver())
        assert found == Received(str(path), f"Ed25519 {signer.public.key_id}", digest, len(content))
    for wrong in (
        Proof(sha256="0" * 64),
        Proof(signature=tmp_path / "other.sig", key=key),
        Proof(signature=path, key=key),
    ):
        with pytest.raises(Problem):
            receive(str(path), wrong, place, driver())


@pytest.mark.parametrize(
    ("where", "proof", "why"),
    [
        ("https://rules.example/a.zip", Proof(), "needs --sha256"),
        ("DIR", Proof(sha256="0" * 64), "no SHA-256"),
        ("DIR/none.zip", Proof(), "cannot be read"),
        ("DIR/text", Proof(), "no zip archive"),
        ("DIR/text", Proof(sha256="00"), "64 hexadecimal"),
        ("DIR/text", Proof(signature=Path("x")), "come together"),
    ],
)
def test_what_cannot_be_believed_is_not_taken(tmp_path: Path, where: str, proof: Proof, why: str) -> None:
    (tmp_path / "text").write_text("no archive")
    with pytest.raises(Problem, match=why):
        receive(where.replace("DIR", str(tmp_path)), proof, tmp_path, driver())


def test_an_archive_over_the_cap_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_intake, "PACKED_BYTES", 10)
    with pytest.raises(Problem, match="larger"):
        receive(str(archive(tmp_path / "a.zip", rule(1))), Proof(), tmp_path, driver())


@pytest.mark.parametrize(("status", "why"), [(302, "redirects are not followed"), (404, "answers 404")])
def test_an_answer_that_is_no_archive_is_told_of(tmp_path: Path, status: int, why: str) -> None:
    head = f"HTTP/1.1 {status} x\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n"
    with serving(head.encode()) as server, pytest.raises(Problem, match=why):
        url = f"http://rules.example:{server.port}/a.zip"
        receive(url, Proof(sha256="0" * 64), tmp_path, driver(server.port))


def test_an_archive_comes_over_the_network_by_its_digest(folder: DataFolder, tmp_path: Path) -> None:
    content = archive(tmp_path / "a.zip", rule(1)).read_bytes()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n".encode()
    with serving(head + content) as server:
        url, place = f"http://rules.example:{server.port}/a.zip", RuleLibrary(folder.rule_library).staging()
        proof = Proof(sha256=sha256(content).hexdigest())
        found = receive(url, proof, place, driver(server.port))
    assert (found.source, found.proof) == (url, "SHA-256")
    assert (place / RULES).read_bytes() == content


def fengsui(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["rules", *arguments])
    return done.exit_code, done.output + (str(done.exception) if isinstance(done.exception, Problem) else "")


def test_the_terminal_stages_confirms_and_goes_back(folder: DataFolder, state: State, tmp_path: Path) -> None:
    data = ("--data", str(folder.root))
    first, second = archive(tmp_path / "a.zip", rule(1)), archive(tmp_path / "b.zip", rule(1), rule(2))
    assert fengsui("update", *data, "--from", str(first), "--yes")[0] == 0
    status, said = fengsui("update", *data, "--from", str(second))
    assert status == 0 and "1 added: high 1" in said and "waits" in said
    library = RuleLibrary(folder.rule_library)
    assert library.active().version == 1
    assert fengsui("confirm", *data)[0] == 0 and library.active().version == 2
    assert "version   1" in fengsui("back", *data)[1] and library.active().version == 1
    assert "no update waits" in fengsui("refuse", *data)[1]
    listed = fengsui("versions", *data)[1]
    assert "runs      version 1" in listed and "kept      version 2" in listed
    acts = [entry.act.value for entry in reversed(state.audit.entries(AuditFilter()))]
    assert acts == ["rules.staged", "rules.confirmed", "rules.staged", "rules.confirmed", "rules.back"]
    assert list(library.root.glob("staging-*")) == []


def test_the_terminal_does_nothing_for_somebody_else(
    folder: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("soc_center.link.os.geteuid", lambda: 4_000_000)
    status, said = fengsui("update", "--data", str(folder.root), "--from", str(archive(tmp_path / "a.zip", rule(1))))
    assert status != 0 and "another user" in said
    assert not (folder.rule_library / "versions").exists()


def test_a_real_center_never_calls_itself(folder: DataFolder, state: State) -> None:
    settings = Settings(
        version=1, name="t", units=[], sources=[], outbound=OutboundSettings(allow=["127.0.0.0/8", "localhost"])
    )
    assert own_ports(settings) == {8740, 8741}
    with serving() as server, pytest.raises(Problem, match="loopback"):
        way_out = open_way_out(settings, state.audit, Actor(name="ann"))
        receive(f"http://127.0.0.1:{server.port}/a.zip", Proof(sha256="0" * 64), folder.root, way_out)
    assert server.asked == []
    [entry] = state.audit.entries(AuditFilter())
    assert (entry.act.value, entry.subject) == ("outbound.called", f"127.0.0.1:{server.port}")
    assert entry.detail["status"] == "0" and "loopback" in entry.detail["why"]


def test_what_detection_loads_is_what_the_settings_and_people_say(
    folder: DataFolder, state: State, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "own.yml").write_text(rule(1, "informational", "experimental"))
    others = archive(tmp_path / "b.zip", rule(2, "low"), rule(3), rule(4, status="experimental"), rule(5))
    settings = Settings(version=1, name="t", units=[], sources=[], detection=Detection(rules=[str(mine), str(others)]))
    decide = {3: "retired", 5: "test"}
    for n, wanted in decide.items():
        changed = RuleState(wanted)
        state.rules.decide(ident(n), changed, "why", first=RuleState.ACTIVE, actor=Actor(name="ann"), now=1)
    write_states(RuleLibrary(folder.rule_library), state.rules)
    cards = load_center_rules(folder, settings).snapshot.cards
    assert {n: cards[ident(n)].state.value for n in range(1, 6) if ident(n) in cards} == {
        1: "active",
        4: "test",
        5: "test",
    }
