"""Secrets are sealed: they open with their key for whom they are, and for nobody else."""

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc_model.problem import Problem
from soc_store.secret_box import SecretBox, open_box

SECRET = "JBSWY3DPEHPK3PXPA"  # so long that base64 has no spare bits
BOX, OTHER = SecretBox(b"a" * 32), SecretBox(b"b" * 32)


@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8"), max_size=20))
def test_what_is_sealed_opens_for_whom_it_is(secret: str, of: str) -> None:
    sealed = BOX.seal(secret, of)
    assert BOX.open(sealed, of) == secret
    assert BOX.open(sealed, of + "x") is None
    assert OTHER.open(sealed, of) is None
    assert BOX.seal(secret, of) != sealed


@given(st.integers(0, 10**6), st.sampled_from("AZaz09+/:=x"))
def test_what_was_changed_does_not_open(at: int, letter: str) -> None:
    sealed = BOX.seal(SECRET, "li.na")
    at %= len(sealed)
    changed = sealed[:at] + letter + sealed[at + 1 :]
    assert BOX.open(changed, "li.na") == (SECRET if changed == sealed else None)


@pytest.mark.parametrize("kept", ["", SECRET, "A256GCM:", f"A256GCM:{BOX.key_id}:", "\udcff:é:ü"])
def test_what_was_never_sealed_does_not_open(kept: str) -> None:
    assert BOX.open(kept, "li.na") is None


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "one-time-codes"
    sealed = open_box(path, may_make=True).seal("secret", "li.na")
    assert open_box(path, may_make=False).open(sealed, "li.na") == "secret"
    assert [stat.S_IMODE(each.stat().st_mode) for each in (path, path.parent)] == [0o600, 0o700]


def test_a_lost_key_says_what_to_do_and_an_empty_file_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "one-time-codes"
    before = open_box(path, may_make=True)
    path.unlink()
    with pytest.raises(Problem, match=r"bring it back.*empty file.*recovery code.*fengsui link --person"):
        open_box(path, may_make=False)
    path.touch(0o600)
    assert open_box(path, may_make=False).key_id != before.key_id


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [("x", 0o644, "others may read"), ("fengsui-secret-key 1 AAAA", 0o600, "is no key"), ("x y", 0o600, "is no key")],
)
def test_a_file_that_is_no_key_of_ours_is_refused(tmp_path: Path, text: str, mode: int, said: str) -> None:
    path = tmp_path / "key"
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(Problem, match=said):
        open_box(path, may_make=True)
