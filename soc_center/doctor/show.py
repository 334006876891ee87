"""The doctor's answer: a table on a terminal, one plain line each elsewhere, JSON for programs."""

from collections import Counter
from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from soc_center.doctor.diagnosis import Diagnosis, Word

STYLES = {Word.OK: "green", Word.WARN: "yellow", Word.BAD: "bold red"}


def exit_code(found: Sequence[Diagnosis]) -> int:
    """1 when anything is bad."""
    return int(any(each.word is Word.BAD for each in found))


def as_json(found: Sequence[Diagnosis]) -> str:
    """All of it for a program."""
    rows = [{**msgspec.to_builtins(each), "subject_zh": each.subject_zh} for each in found]
    return msgspec.json.format(msgspec.json.encode({"ok": not exit_code(found), "found": rows}), indent=2).decode()


def show(console: Console, found: Sequence[Diagnosis]) -> None:
    """All of it for a person, and how much of it is well."""
    if console.is_terminal:
        console.print(_table(found))
    else:
        for each in found:
            console.print(_line(each), soft_wrap=True)
    console.print(_summary(found))


def _line(each: Diagnosis) -> Text:
    fix = f" → {each.fix}" if each.fix else ""
    return Text(f"{each.word.value:4}  {each.subject} {each.subject_zh}: {each.cause}{fix}")


def _table(found: Sequence[Diagnosis]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    before = ""
    for each in found:
        subject = f"{each.subject_zh} {each.subject}" if each.subject != before else ""
        text = Text(each.cause)
        if each.fix:
            text.append(f"\n→ {each.fix}", style="cyan")
        table.add_row(Text(each.word.value, style=STYLES[each.word]), Text(subject, style="bold"), text)
        before = each.subject
    return table


def _summary(found: Sequence[Diagnosis]) -> Text:
    counts = Counter(each.word for each in found)
    text = ", ".join(f"{counts[word]} {word.value}" for word in Word)
    worst = next(word for word in (Word.BAD, Word.WARN, Word.OK) if counts[word] or word is Word.OK)
    said = {Word.OK: "all is well 一切正常", Word.WARN: "it works; look at the warnings 可运行，有告警"}
    return Text(f"{text}: {said.get(worst, 'something is wrong 有问题，需处理')}", style=STYLES[worst])
