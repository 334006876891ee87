"""A process that lets an update of the rules run, dies at every step of it in turn, and looks at what is left.

Each try is a child of its own: it dies (as by kill -9) at the n-th change of a file or folder of the library.
"""

import json
import os
import sys
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

from soc_center.rule_library import RULES, RuleLibrary
from soc_model.rule_library import LibraryDiff, LibraryVersion, PendingUpdate

CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir"}
WRITES = os.O_WRONLY | os.O_RDWR


def put(library: RuleLibrary, text: str) -> PendingUpdate:
    """Have an archive with one rule file wait."""
    staged = library.staging()
    with zipfile.ZipFile(staged / RULES, "w") as archive:
        archive.writestr("rule.yml", text)
    content = (staged / RULES).read_bytes()
    digest = sha256(content).hexdigest()
    about = LibraryVersion(
        version=0, sha256=digest, size_bytes=len(content), source="test", proof="", staged=1, staged_by="ann"
    )
    return library.put(staged, about, LibraryDiff())


def let_in(library: RuleLibrary, text: str) -> int:
    """Have it run."""
    about = put(library, text).version
    library.confirm(about.version, about.sha256, "ann", 1, lambda _: None)
    return about.version


def dying(library: RuleLibrary, step: int) -> bool:
    """Let an update run in a child that dies at that step; whether it came to the end."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == 0
    left = step

    def hook(event: str, args: tuple[Any, ...]) -> None:
        nonlocal left
        changes = event in CHANGES or (event == "open" and isinstance(args[2], int) and args[2] & WRITES)
        if changes and str(library.root) in str(args[0]):
            left -= 1
            if left < 0:
                os._exit(9)

    sys.addaudithook(hook)
    let_in(library, "new")
    library.back(None, "ann", 2, lambda _: None)
    os._exit(0)


def found(library: RuleLibrary) -> dict[str, Any]:
    """What runs, and whether everything that is said of the library is true."""
    state = library.state()
    path = library.rules_path()
    assert path is not None
    with zipfile.ZipFile(path) as archive:
        text = archive.read("rule.yml").decode()
    digests = [sha256(library.archive(each.version).read_bytes()).hexdigest() == each.sha256 for each in state.versions]
    return {"runs": text, "whole": all(digests), "waits": state.pending is not None}


def main(folder: Path) -> None:
    step, over = 0, False
    while not over:
        library = RuleLibrary(folder / str(step))
        let_in(library, "old")
        over = dying(library, step)
        after = found(library)
        let_in(library, "next")
        left = sorted(path.name for path in library.root.iterdir())
        print(json.dumps({"after": after, "next": found(library), "left": left}), flush=True)
        step += 1


if __name__ == "__main__":
    main(Path(sys.argv[1]))
