"""Checkpoints: signed by one key, appended and synced, worth nothing with another key or a changed letter."""

import stat

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from soc_model.layer import Realm
from soc_model.problem import Problem
from soc_store.checkpoint import ALG, CheckpointFile, file_of, read_checkpoints, require_key
from soc_store.signing_key import open_signing_key, public_path, read_verifying_key
from tests.store.making import NOON

COUNTS = {"segments": 2, "events": 3, "findings": 1, "removed": 0}


@pytest.fixture
def key(tmp_path):
    return open_signing_key(tmp_path / "key")


@pytest.fixture
def file(tmp_path):
    return CheckpointFile(tmp_path, Realm.LIVE)


def lines(tmp_path, key, realm=Realm.LIVE):
    path = file_of(tmp_path, Realm.LIVE)
    return list(read_checkpoints(path, path.stat().st_size, realm, key.public))


def test_a_checkpoint_comes_back_as_it_was_signed(tmp_path, key, file):
    made = [file.append(key, n, f"{n:064x}", COUNTS, NOON + n) for n in (2, 4)]
    assert [line.checkpoint for line in lines(tmp_path, key)] == made
    assert file.last() == made[-1]
    assert (made[0].v, made[0].alg, made[0].key_id) == (1, ALG, key.public.key_id)
    assert ALG == "Ed25519/sha256"


def test_another_key_is_refused(tmp_path, key, file):
    file.append(key, 2, "00", COUNTS, NOON)
    other = open_signing_key(tmp_path / "other")
    (line,) = lines(tmp_path, other)
    assert line.checkpoint is None
    assert "by another key" in line.wrong


def test_another_key_under_the_right_name_is_refused(tmp_path, key, file):
    other = open_signing_key(tmp_path / "other")
    made = file.append(other, 2, "00", COUNTS, NOON)
    named = msgspec.structs.replace(made, key_id=key.public.key_id)
    file_of(tmp_path, Realm.LIVE).write_bytes(msgspec.json.encode(named) + b"\n")
    (line,) = lines(tmp_path, key)
    assert line.wrong == "its signature does not hold"


@pytest.mark.parametrize(
    "change",
    [{"sequence": 3}, {"head": "01"}, {"time": 1}, {"counts": {}}, {"realm": "drill"}, {"v": 2}, {"alg": "SM2/SM3"}],
)
def test_no_field_can_be_changed(tmp_path, key, file, change):
    made = msgspec.to_builtins(file.append(key, 2, "00", COUNTS, NOON))
    file_of(tmp_path, Realm.LIVE).write_bytes(msgspec.json.encode(made | change) + b"\n")
    (line,) = lines(tmp_path, key)
    assert line.checkpoint is None


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_any_flipped_bit_is_told_or_says_the_same(tmp_path, key, file, data):
    path = file_of(tmp_path, Realm.LIVE)
    path.unlink(missing_ok=True)
    made = file.append(key, 2, "ab", COUNTS, NOON)
    content = bytearray(path.read_bytes()[:-1])
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(bytes(content) + b"\n")
    # What is read is what was signed; a base64 signature has a few spare bits that say nothing.
    assert all(
        line.checkpoint is None or msgspec.structs.replace(line.checkpoint, signature=made.signature) == made
        for line in lines(tmp_path, key)
    )


def test_half_a_line_is_what_a_crash_left(tmp_path, key, file):
    made = file.append(key, 2, "00", COUNTS, NOON)
    with file_of(tmp_path, Realm.LIVE).open("ab") as torn:
        torn.write(b'{"v":1,"alg"')
    assert [line.checkpoint for line in lines(tmp_path, key)] == [made]
    assert file.last() == made
    more = file.append(key, 4, "00", COUNTS, NOON)
    assert [line.checkpoint for line in lines(tmp_path, key)] == [made, more]


@given(st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_noise_is_told_by_line_and_never_raises(tmp_path, key, content):
    file_of(tmp_path, Realm.LIVE).write_bytes(content)
    assert [line.number for line in lines(tmp_path, key) if line.checkpoint is None] == list(
        range(1, content.count(b"\n") + 1)
    )


def test_an_endless_line_is_told(tmp_path, key):
    file_of(tmp_path, Realm.LIVE).write_bytes(b"x" * 100_000)
    assert [line.wrong for line in lines(tmp_path, key)] == ["is too long for a checkpoint"]


def test_the_private_key_is_its_owners_alone_and_made_once(tmp_path, key):
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert open_signing_key(tmp_path / "key").public.key_id == key.public.key_id
    assert read_verifying_key(public_path(tmp_path / "key")).key_id == key.public.key_id
    (tmp_path / "key").chmod(0o640)
    with pytest.raises(Problem, match="others may read"):
        open_signing_key(tmp_path / "key")


@pytest.mark.parametrize("content", [b"", b"not a key"])
def test_what_is_no_key_is_a_problem(tmp_path, content):
    (tmp_path / "k").write_bytes(content)
    (tmp_path / "k").chmod(0o600)
    with pytest.raises(Problem, match="is no private key"):
        open_signing_key(tmp_path / "k")
    with pytest.raises(Problem, match="is no public key"):
        read_verifying_key(tmp_path / "k")
    with pytest.raises(Problem, match="cannot be read"):
        read_verifying_key(tmp_path / "none")


def test_a_key_of_another_kind_is_a_problem(tmp_path):
    made = generate_private_key(SECP256R1())
    (tmp_path / "k").write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "k").chmod(0o600)
    (tmp_path / "k.pub").write_bytes(made.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(Problem, match="is no Ed25519 key"):
        open_signing_key(tmp_path / "k")
    with pytest.raises(Problem, match="is no Ed25519 public key"):
        read_verifying_key(tmp_path / "k.pub")


def test_a_key_that_is_gone_is_not_made_anew_over_its_checkpoints(tmp_path, key, file):
    require_key(tmp_path, tmp_path / "key")
    file.append(key, 2, "00", COUNTS, NOON)
    (tmp_path / "key").unlink()
    with pytest.raises(Problem, match="is gone"):
        require_key(tmp_path, tmp_path / "key")
