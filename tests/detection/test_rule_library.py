"""Rule files: folders, archives, many documents, and everything that may be wrong with them."""

import time
import zipfile
from pathlib import Path

import pytest

from detection_rules.library import MAX_ENTRIES, read_documents
from detection_rules.rule import Refusal, RuleDocument
from detection_rules.rule_yaml import MAX_TEXT_BYTES, parse_documents
from soc_model.problem import Problem

RULE = "title: one\nlogsource:\n    product: app\ndetection:\n    sel:\n        F: x\n    condition: sel\n"


def parsed(text: str | bytes) -> list[RuleDocument | Refusal]:
    return list(parse_documents("r.yml", text.encode() if isinstance(text, str) else text))


def test_each_document_has_its_line() -> None:
    found = parsed(f"# a comment\n---\n{RULE}---\n{RULE}--- # empty\n---\n# nothing\n")
    assert [(one.line, type(one)) for one in found] == [(3, RuleDocument), (11, RuleDocument)]


@pytest.mark.parametrize(
    "text", ["\ufeff" + RULE, RULE.replace("\n", "\r\n"), "%YAML 1.1\n---\n" + RULE, "--- {title: x}\n", "\n\n" + RULE]
)
def test_what_is_read_as_one_document(text: str) -> None:
    [found] = parsed(text)
    assert isinstance(found, RuleDocument)
    assert "title" in found.data


def test_a_syntax_error_names_its_line_and_takes_no_other_document_along() -> None:
    first, broken, last = parsed(f"{RULE}---\ntitle: x\n  bad: [\n---\n{RULE}")
    assert isinstance(first, RuleDocument)
    assert isinstance(last, RuleDocument)
    assert isinstance(broken, Refusal)
    assert str(broken).startswith("r.yml:10: YAML: ")


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("- a list\n", 1, "not a mapping"),
        ("title: a\ntitle: b\n", 1, "Duplicate key"),
        (b"title: a\nx: \xff\n", 2, "not UTF-8"),
        ("[" * 200_000, 1, "nested"),
        ("- " * 3000, 1, "nested"),
        ("".join(" " * depth + "a:\n" for depth in range(400)), 65, "nested"),
        ("a: &a [x]\nb: [*a, *c]\n", 2, "undefined alias"),
        ("a: &a {b: *a}\n", 1, "aliases"),
        ("x: !!python/object:os.system {}\n", 1, "could not determine a constructor"),
        ("? [a]\n: b\n", 1, "unhashable"),
        ("a: '" + "x" * MAX_TEXT_BYTES + "'", 1, "larger than"),
        ("a: 1\n...\n---x: [\n", 3, "document start"),
    ],
)
def test_what_is_refused(text: str | bytes, line: int, reason: str) -> None:
    [found] = parsed(text)
    assert isinstance(found, Refusal)
    assert reason.casefold() in found.reason.casefold()
    assert found.line == line


def test_aliases_that_unfold_without_end_are_refused_at_once() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
    began = time.process_time()
    [found] = parsed(bomb)
    assert isinstance(found, Refusal)
    assert "aliases unfold" in found.reason
    assert time.process_time() - began < 2


def test_aliases_that_stay_small_are_read() -> None:
    [found] = parsed("base: &b [x, y]\nagain: *b\n")
    assert isinstance(found, RuleDocument)
    assert found.data["again"] == ["x", "y"]


def test_folders_are_read_in_order_and_other_files_left_alone(tmp_path: Path) -> None:
    for name in ("b/two.yml", "a/one.yaml", "a/readme.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(RULE)
    (tmp_path / "broken.yml").write_text("a: [\n")
    library = read_documents([tmp_path])
    assert [Path(one.path).name for one in library.documents] == ["one.yaml", "two.yml"]
    assert [Path(one.path).name for one in library.refused] == ["broken.yml"]


def test_people_see_paths_from_what_was_named(tmp_path: Path) -> None:
    (tmp_path / "mine" / "host").mkdir(parents=True)
    (tmp_path / "mine" / "host" / "a.yml").write_text(RULE)
    with zipfile.ZipFile(tmp_path / "theirs.zip", "w") as archive:
        archive.writestr("rules/b.yml", RULE)
    found = read_documents([tmp_path / "mine", tmp_path / "theirs.zip"]).documents
    assert [one.shown for one in found] == ["mine/host/a.yml", "theirs.zip!rules/b.yml"]
    assert found[0].path == str(tmp_path / "mine" / "host" / "a.yml")


def test_a_path_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="no such file"):
        read_documents([tmp_path / "nothing.yml"])


def archive(path: Path, entries: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in entries.items():
            packed.writestr(name, data)
    return path


def test_archives_are_read_entry_by_entry(tmp_path: Path) -> None:
    packed = archive(tmp_path / "rules.zip", {"z.yml": RULE.encode(), "a/b.yml": RULE.encode(), "LICENSE": b"free"})
    library = read_documents([packed])
    assert [one.path.partition("!")[2] for one in library.documents] == ["a/b.yml", "z.yml"]


def test_archives_that_explode_are_refused_entry_by_entry(tmp_path: Path) -> None:
    packed = archive(
        tmp_path / "rules.zip", {"bomb.yml": b"a" * 900_000, "big.yml": bytes(2_000_000), "r.yml": RULE.encode()}
    )
    library = read_documents([packed])
    reasons = sorted(refusal.reason for refusal in library.refused)
    assert len(library.documents) == 1
    assert [reason.split()[0] for reason in reasons] == ["larger", "packed"]


def test_an_archive_of_too_many_entries_or_none_at_all_is_refused(tmp_path: Path) -> None:
    many = tmp_path / "many.zip"
    with zipfile.ZipFile(many, "w") as packed:
        for number in range(MAX_ENTRIES + 1):
            packed.writestr(f"{number}.yml", b"")
    torn = tmp_path / "torn.zip"
    torn.write_bytes(many.read_bytes()[:5000])
    reasons = [refusal.reason for refusal in read_documents([many, torn]).refused]
    assert reasons[0].startswith("more than")
    assert reasons[1].startswith("not a readable zip archive")


def test_an_entry_that_lies_about_itself_is_refused(tmp_path: Path) -> None:
    packed = archive(tmp_path / "rules.zip", {"a.yml": RULE.encode() * 20})
    data = bytearray(packed.read_bytes())
    data[40:50] = bytes(10)
    packed.write_bytes(data)
    library = read_documents([packed])
    assert library.documents == []
    assert "cannot be unpacked" in library.refused[0].reason
