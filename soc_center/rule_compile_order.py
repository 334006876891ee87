"""What is said between who wants rules compiled and the process that compiles them."""

import os
import struct
from enum import IntEnum
from typing import NamedTuple

import msgspec

from soc_center.rule_choice import RuleChoice

OUT_OF_MEMORY = 3  # how the process exits that finds no room
_NOTE = struct.Struct("<qqq")


class Caps(msgspec.Struct, frozen=True, kw_only=True):
    """What compiling may take, in processor time and memory: all of it, and each step by itself.

    A database may take what one expression may, and more for each that it has; ``database_s`` at the most.
    """

    all_s: float = 60.0
    document_s: float = 5.0
    database_s: float = 30.0
    expression_s: float = 5.0
    more_s: float = 0.025
    memory_bytes: int = 1 << 30


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """Which database to try expression by expression, from where on, and why those that failed did."""

    database: int
    start: int = 0
    bad: dict[int, str] = {}


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Rules to compile into the file ``out`` under ``key``, with the catalogue of all documents as another.

    ``folder`` is for files between one attempt and the next: the databases made so far. ``refuse``: documents that must
    not be tried again, by their number in reading order, with the reasons.
    """

    choice: RuleChoice
    key: str
    folder: str
    out: str
    catalogue: str
    caps: Caps = Caps()
    refuse: dict[int, str] = {}
    probe: Probe | None = None


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """``done``: the file is there. ``refuse``: documents to leave out, why. ``problem``: place and what is wrong."""

    done: bool = False
    refuse: dict[int, str] = {}
    problem: tuple[str, str] | None = None


class Stage(IntEnum):
    """What the process is at."""

    BUILDING = 0
    DOCUMENT = 1
    DATABASE = 2
    EXPRESSION = 3


class Note(NamedTuple):
    """What the process is at, which one of those in the order in which it meets them, and how many are in that one."""

    stage: Stage
    number: int
    size: int


def write_note(descriptor: int, stage: Stage, number: int = 0, size: int = 1) -> None:
    """Keep what this process begins now where its parent finds it, whatever becomes of the process."""
    os.pwrite(descriptor, _NOTE.pack(stage, number, size), 0)


def read_note(descriptor: int) -> Note:
    """What was noted last."""
    stage, number, size = _NOTE.unpack(os.pread(descriptor, _NOTE.size, 0))
    return Note(Stage(stage), number, size)
