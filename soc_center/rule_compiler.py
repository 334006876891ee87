"""Rules compiled in a process that can be killed: what it dies of is found, refused by name, and the rest goes on.

Comes in: which rules, and caps. Goes out: the compiled rules and the catalogue of every document. The one thing to
know: every attempt leaves out at least one document more than the one before, so there is an end, and databases made
once are not made again.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import msgspec

from detection_rules.compiled import Compiled, decode_compiled
from soc_center.rule_choice import RuleChoice
from soc_center.rule_compile_order import OUT_OF_MEMORY, Caps, Note, Order, Probe, Reply, Stage, read_note, write_note
from soc_model.problem import Problem

LOOK_S = 0.05
WAITED = 20  # times its processor time that a process may take by the clock, so that one that sleeps is ended too
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Ended:
    """How one process ended: with a reply, or at a note, for a reason."""

    reply: Reply | None
    note: Note
    why: str = ""


class Made(NamedTuple):
    """Compiled rules, and ``encoded`` as they are kept; the catalogue of every document, as the bytes of its file."""

    compiled: Compiled
    encoded: bytes
    catalogue: bytes


def made_of(encoded: bytes, catalogue: bytes, key: str) -> Made | None:
    """What was made under the key, from the bytes of both files; None unless both are whole and of one make."""
    found = decode_compiled(encoded, key)
    if found is None or found.catalogue != sha256(catalogue).hexdigest():
        return None
    return Made(found, encoded, catalogue)


def compile_rules(choice: RuleChoice, *, key: str = "", caps: Caps | None = None) -> Made:
    """The rules that are chosen, compiled; those that cost too much are refused by name.

    Raises Problem where a path is not there, or where it is not one rule that costs too much.
    """
    with tempfile.TemporaryDirectory(prefix="fengsui-rules-") as folder:
        out, catalogue = Path(folder, "compiled"), Path(folder, "catalogue")
        order = Order(
            choice=choice, key=key, folder=folder, out=str(out), catalogue=str(catalogue), caps=caps or Caps()
        )
        while not (reply := _attempt(order)).done:
            if not reply.refuse.keys() - order.refuse.keys():
                raise Problem("rules", "compiling them fails, and no rule can be blamed for it")
            order = msgspec.structs.replace(order, refuse=order.refuse | reply.refuse)
        found = made_of(out.read_bytes(), catalogue.read_bytes(), key)
    if found is None:
        raise Problem("rules", "what was compiled cannot be read")
    return found


def _attempt(order: Order) -> Reply:
    """Compile once; where the process died, the documents to leave out the next time."""
    ended = _run(order)
    if ended.reply is not None:
        if ended.reply.problem is not None:
            raise Problem(*ended.reply.problem)
        return ended.reply
    if ended.note.stage is Stage.DOCUMENT:
        return Reply(refuse={ended.note.number: f"reading it {ended.why}"})
    if ended.note.stage is Stage.DATABASE:
        return _probe(order, Probe(database=ended.note.number))
    raise Problem("rules", f"compiling them {ended.why}")


def _probe(order: Order, probe: Probe) -> Reply:
    """Try the expressions of a database one by one until all are known; the documents that cannot be compiled."""
    while True:
        ended = _run(msgspec.structs.replace(order, probe=probe))
        if ended.reply is not None:
            return ended.reply
        if ended.note.stage is not Stage.EXPRESSION:
            raise Problem("rules", f"compiling them {ended.why}")
        bad = probe.bad | {ended.note.number: ended.why}
        probe = msgspec.structs.replace(probe, start=ended.note.number, bad=bad)


def _run(order: Order) -> Ended:
    """One process, from its start to its end."""
    with tempfile.TemporaryFile() as notes:
        write_note(notes.fileno(), Stage.BUILDING)
        with _spawn(order, notes.fileno()) as process:
            try:
                why = _watch(process, notes.fileno(), order.caps)
            finally:
                process.kill()
            answer = process.stdout.read() if process.stdout is not None else b""
        code, note = process.returncode, read_note(notes.fileno())
    if not why and code == 0:
        return Ended(msgspec.json.decode(answer, type=Reply), note)
    return Ended(None, note, why or _ending(code, order.caps))


def _spawn(order: Order, notes: int) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(  # noqa: S603 - our own module, no shell
        [sys.executable, "-m", "soc_center.rule_compile_child", str(notes)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=(notes,),
        # Few arenas, or the memory cap means little; one order of sets, so that every attempt meets the same databases.
        env={**os.environ, "MALLOC_ARENA_MAX": "2", "PYTHONHASHSEED": "0"},
    )
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
        pipe.write(msgspec.json.encode(order))
    return process


def _watch(process: "subprocess.Popen[bytes]", notes: int, caps: Caps) -> str:
    """Wait until it is about to end; why it had to be killed, or the empty string."""
    at = read_note(notes)
    began_s, began = 0.0, time.monotonic()
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        note, used_s = read_note(notes), _cpu_s(process.pid)
        if note != at:
            at, began_s, began = note, used_s, time.monotonic()
        most = _cap(at, caps)
        if used_s - began_s > most or time.monotonic() - began > WAITED * most:
            process.kill()
            return f"takes more than {most:g} s"
        time.sleep(LOOK_S)
    return ""


def _cap(note: Note, caps: Caps) -> float:
    by_stage = {
        Stage.DOCUMENT: caps.document_s,
        Stage.DATABASE: min(caps.database_s, caps.expression_s + caps.more_s * note.size),
        Stage.EXPRESSION: caps.expression_s,
        Stage.BUILDING: caps.all_s + caps.database_s,
    }
    return by_stage[note.stage]


def _ending(code: int, caps: Caps) -> str:
    if code == OUT_OF_MEMORY:
        return f"needs more than {caps.memory_bytes >> 20} MiB of memory"
    return f"ends the process that does it (signal {-code})" if code < 0 else f"fails (exit {code})"


def _cpu_s(pid: int) -> float:
    """Processor time of a child; 0 where the system does not tell, then the clock alone counts."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICK
