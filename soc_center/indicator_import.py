"""A feed into a new set of indicators, or a feed out of it: the set in force is exchanged whole or not at all.

Comes in: files that the command line has put below ``indicators/incoming``. Goes out: a set, and an account of what was
taken and refused. The one thing to know: one import at a time, and whatever ends it leaves the set before in force.
"""

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from detection_rules.feeds.allowed import read_allowed
from detection_rules.feeds.canonical import Taking
from detection_rules.feeds.content import Content, contents
from detection_rules.feeds.csv_feed import SUFFIXES as CSV_SUFFIXES
from detection_rules.feeds.csv_feed import read_csv
from detection_rules.feeds.entry import Entry, Refused
from detection_rules.feeds.misp_feed import SUFFIXES as MISP_SUFFIXES
from detection_rules.feeds.misp_feed import read_misp
from detection_rules.feeds.stix_feed import SUFFIXES as STIX_SUFFIXES
from detection_rules.feeds.stix_feed import read_stix
from soc_center.indicator_folder import open_current, put_in_force
from soc_center.job_place import JobPlace
from soc_model.indicator import Feed, Indicator
from soc_model.problem import Problem
from soc_store.durable import make_folder
from soc_store.indicator_builder import IndicatorBuilder, copy_feeds
from soc_store.lock import FolderLock, Taken

Reader = Callable[[Content], Iterator[Entry | Refused]]
READERS: dict[str, tuple[Reader, tuple[str, ...]]] = {
    "csv": (read_csv, CSV_SUFFIXES),
    "stix": (read_stix, STIX_SUFFIXES),
    "misp": (read_misp, MISP_SUFFIXES),
}
INCOMING = "incoming"
SHOWN_REFUSALS = 100
STEP = 2_000  # entries between two looks at whether the job shall end
STALE_S = 86_400.0


class ImportRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is imported as which feed; ``add``: to what the feed has, instead of in its place."""

    upload: str
    feed: str
    format: str = "csv"
    confidence: int = 50
    days: int = 180
    add: bool = False


def check_request(request: ImportRequest) -> None:
    """Raise ``Problem`` naming what cannot be."""
    check_feed(request.feed)
    if request.format not in READERS:
        raise Problem("format", f"{request.format!r} is none of {', '.join(READERS)}")
    if not 0 <= request.confidence <= 100:
        raise Problem("confidence", "is a number from 0 to 100")
    if not 0 <= request.days <= 36_500:
        raise Problem("days", "is a number from 0 (no end) to 36500")
    if not (len(request.upload) == 32 and request.upload.isalnum()):
        raise Problem("upload", "names nothing that fengsui indicators import has put in place")


def check_feed(name: str) -> None:
    """Raise ``Problem`` for what cannot be the name of a feed: it is a part of rule ids."""
    plain = name.replace("-", "").replace("_", "").replace(".", "")
    if not (0 < len(name) <= 60 and plain.isascii() and plain.isalnum() and name == name.lower()):
        raise Problem("feed", "1 to 60 small letters, digits, - _ and . make the name of a feed")


def import_feed(request: ImportRequest, place: JobPlace, person: str) -> dict[str, Any]:
    """Make and put in force the set with the feed as its files say; what was taken and what refused."""
    check_request(request)
    folder = place.folder.indicators
    incoming = folder / INCOMING / request.upload
    lock = _lock(folder, place)
    try:
        _tidy(folder)
        found = _Import(request, place, person).run(incoming)
    finally:
        shutil.rmtree(incoming, ignore_errors=True)
        lock.release()
    return found


def remove_feed(name: str, place: JobPlace) -> dict[str, Any]:
    """Make and put in force the set without the feed; how many indicators went."""
    folder = place.folder.indicators
    lock = _lock(folder, place)
    try:
        _tidy(folder)
        old = open_current(folder, verify=True)
        feed = next((one for one in old.feeds if one.name == name), None) if old is not None else None
        if old is None or feed is None:
            raise Problem("feed", f"there is no feed {name[:80]!r}")
        builder = IndicatorBuilder()
        copy_feeds(builder, old, without=name)
        place.progress(1, 1)
        put_in_force(folder, builder.write(folder))
        return {"removed": feed.total, "indicators": len(builder)}
    finally:
        lock.release()


class _Import:
    """One import under the lock."""

    def __init__(self, request: ImportRequest, place: JobPlace, person: str) -> None:
        self._request, self._place, self._person = request, place, person
        self._builder = IndicatorBuilder()
        self._refused: list[str] = []
        self._told: Counter[str] = Counter()

    def run(self, incoming: Path) -> dict[str, Any]:
        folder, request, now = self._place.folder.indicators, self._request, self._place.now()
        taking = Taking(
            feed=request.feed,
            now=now,
            allowed=read_allowed(folder / "allow.txt"),
            confidence=request.confidence,
            days=request.days,
        )
        old = open_current(folder, verify=True)
        if old is not None:
            copy_feeds(self._builder, old, without=request.feed)
        others = len(self._builder)
        self._builder.begin(Feed(name=request.feed, imported=now, imported_by=self._person, format=request.format))
        if old is not None and request.add:
            for indicator in old.of_feed(request.feed):
                self._builder.add(indicator)
        self._take_all(incoming, taking)
        if not self._told["taken"]:
            first = f"; the first of {self._told['refused']} refused: {self._refused[0]}" if self._refused else ""
            raise Problem(request.feed, f"nothing in it can be taken{first}")
        self._builder.note_refused(self._told["refused"])
        self._place.progress(self._told["read"], self._told["read"], "writing")
        put_in_force(folder, self._builder.write(folder))
        return {
            "feed": request.feed,
            "indicators": len(self._builder) - others,
            **{name: self._told[name] for name in ("read", "taken", "twice", "refused")},
            "refusals": self._refused,
        }

    def _take_all(self, incoming: Path, taking: Taking) -> None:
        read, suffixes = READERS[self._request.format]
        for content in contents(incoming, suffixes):
            for entry in read(content):
                self._take(entry, taking)

    def _take(self, entry: Entry | Refused, taking: Taking) -> None:
        told = self._told
        told["read"] += 1
        if told["read"] % STEP == 0:
            self._place.progress(told["read"], 0, f"{told['taken']} taken, {told['refused']} refused")
        found: Indicator | Refused = entry if isinstance(entry, Refused) else taking.take(entry)
        if isinstance(found, Refused):
            told["refused"] += 1
            if len(self._refused) < SHOWN_REFUSALS:
                self._refused.append(f"{found.place}: {found.why}"[:500])
        else:
            told["taken"] += 1
            told["twice"] += not self._builder.add(found)


def _lock(folder: Path, place: JobPlace) -> FolderLock:
    """The right to write sets; waits for an import before."""
    while True:
        place.progress(0, 0, "waiting for another import")
        try:
            return FolderLock.take(folder)
        except Taken:
            time.sleep(0.2)


def _tidy(folder: Path) -> None:
    """Remove what imports that were killed have left."""
    for path in folder.glob("new-*"):
        path.unlink(missing_ok=True)
    incoming = make_folder(folder / INCOMING)
    for path in incoming.iterdir():
        if time.time() - path.stat().st_mtime > STALE_S:
            shutil.rmtree(path, ignore_errors=True)
