"""The rules of the engine bench as a folder of files, so that every engine reads the same ones."""

import hashlib
from pathlib import Path

from detection_rules.library import read_documents


def rules_folder(rules: Path, cache: Path, most: int = 0) -> Path:
    """A folder of the rules at ``rules``, one a file; with ``most`` so many of them, spread evenly over all."""
    documents = read_documents([rules]).documents
    if most:
        documents = [documents[number * len(documents) // most] for number in range(min(most, len(documents)))]
    digest = hashlib.sha256("\0".join(document.text for document in documents).encode()).hexdigest()[:16]
    folder = cache / f"rules-{len(documents)}-{digest}"
    if not folder.is_dir():
        made = folder.with_suffix(".part")
        made.mkdir(parents=True, exist_ok=True)
        for number, document in enumerate(documents):
            (made / f"{number:05}.yml").write_text(document.text, "utf-8")
        made.replace(folder)
    return folder
