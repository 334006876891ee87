"""What well-known programs mean by their syslog messages: Sigma service, action, outcome, user and address.

All of it is data: ``tables/syslog_programs.yml`` and ``tables/syslog_messages.yml``.
"""

import re
from functools import cache, lru_cache
from typing import NamedTuple

from collectors.tables import read_table

MESSAGE_CHARACTERS = 2048  # of a message are looked at
REMEMBERED = 4096  # tags: a sender may write any


class Pattern(NamedTuple):
    """One known message: what it looks like and what it says."""

    expression: "re.Pattern[str]"
    action: str
    outcome: str | None


class Meaning(NamedTuple):
    """What a message says, as header columns; ``None`` is what it does not say."""

    action: str | None = None
    outcome: str | None = None
    user: str | None = None
    address: str | None = None
    port: str | None = None


NOTHING = Meaning()


class Program(NamedTuple):
    """A program's Sigma service and its known messages by first word (those with any first word under ``""``)."""

    service: str
    patterns: dict[str, tuple[Pattern, ...]]

    def meaning(self, message: str) -> Meaning:
        """What a message of this program says."""
        if not self.patterns:
            return NOTHING
        text = message[:MESSAGE_CHARACTERS].lstrip()
        word = text.partition(" ")[0]
        for pattern in self.patterns.get(word) or self.patterns.get("", ()):
            if (found := pattern.expression.match(text)) is not None:
                said = found.groupdict()
                return Meaning(
                    pattern.action, pattern.outcome, said.get("user"), said.get("ip") or None, said.get("port")
                )
        return NOTHING


@cache
def known_programs() -> dict[str, Program]:
    """The well-known programs by name, read once."""
    messages = {name: _by_first_word(listed) for name, listed in read_table("syslog_messages").items()}
    return {
        program: Program(service, messages.get(program) or messages.get(service) or {})
        for service, programs in read_table("syslog_programs").items()
        for program in programs
    }


OTHER = Program("syslog", {})


@lru_cache(REMEMBERED)
def program_of(tag: str) -> Program:
    """The program of a tag, which may be a path or carry arguments: ``/usr/sbin/CRON``, ``sshd(pam_unix)``."""
    known = known_programs()
    return known.get(tag) or known.get(tag.rpartition("/")[2].partition("(")[0]) or OTHER


def _by_first_word(listed: list[dict[str, str]]) -> dict[str, tuple[Pattern, ...]]:
    patterns: dict[str, tuple[Pattern, ...]] = {}
    for entry in listed:
        pattern = Pattern(re.compile(entry["pattern"]), entry["action"], entry.get("outcome"))
        patterns[entry["first"]] = (*patterns.get(entry["first"], ()), pattern)
    return patterns
