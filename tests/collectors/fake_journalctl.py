"""A journalctl of its own: entries come from the file FAKE_JOURNAL names, one a line, as cursors ``c1``, ``c2`` ...

Honours --after-cursor, --lines=1 and --follow, and writes its arguments to FAKE_JOURNAL.calls. FAKE_JOURNAL_DIES:
after so many entries of one life it writes half of the next one, complains and ends. FAKE_JOURNAL_BOOT: so many
entries are of an earlier boot, and not shown with --follow, as systemd does since version 251.
"""

import json
import os
import sys
import time
from pathlib import Path


def main() -> None:
    journal = Path(os.environ["FAKE_JOURNAL"])
    with journal.with_suffix(".calls").open("a") as calls:
        calls.write(" ".join(sys.argv[1:]) + "\n")
    options = dict(argument.partition("=")[::2] for argument in sys.argv[1:])
    after = options.get("--after-cursor", "c0")
    if not after.startswith("c"):
        sys.exit("Failed to seek to cursor: Invalid argument")
    seen = int(after[1:])
    dies = int(os.environ.get("FAKE_JOURNAL_DIES", "0"))
    written = 0
    if "--follow" in options:
        seen = max(seen, int(os.environ.get("FAKE_JOURNAL_BOOT", "0")))
    while True:
        lines = journal.read_bytes().splitlines(keepends=True)
        if "--lines" in options:
            seen = max(seen, len(lines) - int(options["--lines"]))
        for line in lines[seen:]:
            assert json.loads(line)["__CURSOR"] == f"c{seen + 1}"
            if dies and written == dies:
                sys.stdout.buffer.write(line[: len(line) // 2])
                sys.stdout.flush()
                sys.exit("journal: it broke")
            sys.stdout.buffer.write(line)
            seen, written = seen + 1, written + 1
        sys.stdout.flush()
        if "--follow" not in options:
            return
        time.sleep(0.02)


main()
