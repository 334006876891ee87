"""The model of a disk in a power cut: what was synced is there whatever the chance, and what was not may be gone."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.power.chances import Dropped, Kept, Nameless, Torn, Zeros
from tests.power.disk import PAGE, Chance, Disk, Tree, pieces
from tests.power.recording import HEAD, MAGIC, Kind, Op, read_operations

ROOT = "/r"
CHANCES = [Dropped(), Kept(), Zeros(), Nameless(), *(Torn(seed) for seed in range(5))]
chances = st.sampled_from(CHANCES)
writes = st.builds(
    lambda at, data: Op(kind=Kind.WRITE, inode=2, at=at, data=data),
    st.integers(0, 3 * PAGE),
    st.binary(min_size=1, max_size=20) | st.just(b"x" * 2 * PAGE),
)
changes = writes | st.builds(lambda size: Op(kind=Kind.TRUNCATE, inode=2, at=size), st.integers(0, 2 * PAGE))


def sync(inode: int, token: int) -> list[Op]:
    return [Op(kind=Kind.SYNC_BEGIN, inode=inode, at=token), Op(kind=Kind.SYNC_END, inode=inode, at=token)]


def made(inode: int, name: str, data: bytes = b"") -> list[Op]:
    created = Op(kind=Kind.CREATE, inode=inode, path=f"{ROOT}/{name}")
    return [created, Op(kind=Kind.WRITE, inode=inode, data=data)] if data else [created]


def cut(ops: list[Op], chance: Chance) -> Tree:
    disk = Disk(ROOT, 1)
    disk.apply(ops)
    return disk.root.after_cut(chance)


def content(ops: list[Op]) -> bytes:
    disk = Disk(ROOT, 1)
    disk.apply(ops)
    found = disk.root.now()["f"]
    assert isinstance(found, bytes)
    return found


@given(done=st.lists(changes), chance=chances)
def test_what_was_written_before_a_sync_is_never_lost(done: list[Op], chance: Chance) -> None:
    ops = [*made(2, "f"), *done, *sync(2, 1), *sync(1, 2)]
    assert cut(ops, chance) == {"f": content(ops)}


@given(before=st.lists(changes), after=st.lists(changes, min_size=1))
def test_what_was_written_after_it_can_be(before: list[Op], after: list[Op]) -> None:
    synced = [*made(2, "f"), *before, *sync(2, 1), *sync(1, 2)]
    assert cut([*synced, *after], Dropped()) == {"f": content(synced)}
    assert cut([*synced, *after], Kept()) == {"f": content([*synced, *after])}


@given(op=writes)
def test_the_pieces_of_a_write_are_the_write_and_no_piece_crosses_a_page(op: Op) -> None:
    parts = pieces(op)
    assert b"".join(part.data for part in parts) == op.data
    assert [part.at for part in parts] == [op.at + sum(len(one.data) for one in parts[:n]) for n in range(len(parts))]
    assert all(part.at // PAGE == (part.at + len(part.data) - 1) // PAGE for part in parts)


def test_a_sync_holds_for_what_was_written_before_it_began() -> None:
    begin, end = sync(2, 1)
    ops = [*made(2, "f", b"one"), *sync(1, 2), begin, Op(kind=Kind.WRITE, inode=2, at=3, data=b"two")]
    assert cut(ops, Dropped()) == {"f": b""}
    assert cut([*ops, end], Dropped()) == {"f": b"one"}


def test_syncs_of_one_file_may_overlap() -> None:
    (first, first_end), (second, second_end) = sync(2, 1), sync(2, 2)
    two = Op(kind=Kind.WRITE, inode=2, at=3, data=b"two")
    three = Op(kind=Kind.WRITE, inode=2, at=6, data=b"three")
    ops = [*made(2, "f", b"one"), *sync(1, 3), first, two, second, second_end, three, first_end]
    assert cut(ops, Dropped()) == {"f": b"onetwo"}


def test_a_synced_file_without_its_name_is_gone() -> None:
    ops = [*made(2, "f", b"data"), *sync(2, 1)]
    assert cut(ops, Nameless()) == {}
    assert cut([*ops, *sync(1, 2)], Nameless()) == {"f": b"data"}


@pytest.mark.parametrize(("chance", "found"), [(Dropped(), b"old"), (Nameless(), b"old"), (Kept(), b"new")])
def test_a_rename_whose_folder_was_not_synced_may_not_have_been(chance: Chance, found: bytes) -> None:
    ops = [*made(2, "f", b"old"), *sync(2, 1), *sync(1, 2), *made(3, "f.new", b"new"), *sync(3, 3)]
    renamed = [*ops, Op(kind=Kind.RENAME, path=f"{ROOT}/f.new", to=f"{ROOT}/f")]
    assert cut(renamed, chance)["f"] == found
    assert cut([*renamed, *sync(1, 4)], chance) == {"f": b"new"}


def test_a_folder_without_its_name_takes_all_in_it_along() -> None:
    folder = Op(kind=Kind.MKDIR, inode=5, path=f"{ROOT}/d")
    ops = [folder, *made(2, "d/f", b"data"), *sync(2, 1), *sync(5, 2)]
    assert cut(ops, Dropped()) == {}
    assert cut([*ops, *sync(1, 3)], Dropped()) == {"d": {"f": b"data"}}


def test_a_removal_whose_folder_was_not_synced_comes_back() -> None:
    ops = [*made(2, "f", b"data"), *sync(2, 1), *sync(1, 2), Op(kind=Kind.UNLINK, path=f"{ROOT}/f")]
    assert cut(ops, Dropped()) == {"f": b"data"}
    assert cut(ops, Kept()) == {}


def test_a_file_may_have_its_size_without_its_data() -> None:
    ops = [*made(2, "f", b"data"), *sync(1, 1)]
    assert cut(ops, Zeros()) == {"f": bytes(4)}


@pytest.mark.parametrize(
    "op",
    [
        Op(kind=Kind.UNKNOWN, path="mmap", to="/r/f"),
        Op(kind=Kind.WRITE, inode=99, data=b"x"),
        Op(kind=Kind.UNLINK, path="/r/never"),
    ],
)
def test_what_was_not_recorded_whole_is_an_error(op: Op) -> None:
    with pytest.raises(ValueError, match=r"mmap|never"):
        cut([op], Kept())


def records() -> Iterator[bytes]:
    for data in (b"one", b"", b"three"):
        yield HEAD.pack(MAGIC, Kind.WRITE, 2, 7, 0, 0, len(data)) + data


def test_a_log_is_read_with_the_place_of_each_mark() -> None:
    log = b"".join(records())
    read = read_operations(log)
    assert [op.data for op in read.ops] == [b"one", b"", b"three"]
    assert [read.before(mark) for mark in (0, read.ends[0], read.ends[0] + 1, len(log))] == [0, 1, 1, 3]
    with pytest.raises(ValueError, match="no record"):
        read_operations(b"x" * HEAD.size)
