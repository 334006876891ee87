"""Makes a data directory ready before any process starts: the state database at this release's schema, the first link.

A process of its own, so that the supervisor stays small. The link's token never passes through here, only its SHA-256.
"""

import argparse
from pathlib import Path

from soc_center.folder import DataFolder
from soc_center.gauge import now_us
from soc_store.state import State

LINK_US = 15 * 60 * 1_000_000


def prepare(folder: DataFolder, link_sha256: str = "") -> None:
    """Migrate the state (backed up first where it changes) and keep a sign-in link that lives 15 minutes."""
    state = State.open(folder.state_url, migrate=True)
    if link_sha256:
        state.make_link(link_sha256, "evaluation", now_us() + LINK_US)
    state.close()


def main() -> None:
    """``python -m soc_center.prepare --data DIR [--link SHA256]``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--link", default="")
    arguments = parser.parse_args()
    prepare(DataFolder(arguments.data.resolve()).make(), arguments.link)


if __name__ == "__main__":
    main()
