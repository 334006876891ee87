"""The console's languages: English is in the templates, Chinese in ``locale/zh_CN``, read by the standard library."""

import gettext
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

LOCALE = Path(__file__).parent / "locale"
DOMAIN = "fengsui"


class Language(NamedTuple):
    """One language: its tag in HTML and cookie, its folder, and its own name."""

    tag: str
    folder: str
    name: str


ENGLISH = Language("en", "en", "English")
CHINESE = Language("zh-CN", "zh_CN", "中文")
LANGUAGES = (CHINESE, ENGLISH)


class CatalogMissing(Exception):
    """A compiled catalog is not there."""


def translations(language: Language) -> gettext.NullTranslations:
    """The messages of a language; raises CatalogMissing saying how to make them."""
    if language is ENGLISH:
        return gettext.NullTranslations()
    try:
        return gettext.translation(DOMAIN, LOCALE, [language.folder])
    except OSError as error:
        wanted = LOCALE / language.folder / "LC_MESSAGES" / f"{DOMAIN}.mo"
        raise CatalogMissing(f"{wanted} is not there: run `make env`, which compiles it from the .po file") from error


def choose(cookie: str | None, accept: str) -> Language:
    """The viewer's language: chosen in the console, else the first of ours that the browser asks for, else English."""
    for language in LANGUAGES:
        if cookie == language.tag:
            return language
    for tag in _by_preference(accept):
        if tag.split("-")[0] == "zh":
            return CHINESE
        if tag.split("-")[0] == "en":
            return ENGLISH
    return ENGLISH


def _by_preference(accept: str) -> Sequence[str]:
    """The tags of an Accept-Language header, most wanted first (RFC 9110 §12.5.4)."""
    ranked = []
    for part in accept[:500].split(","):
        tag, _, quality = part.strip().lower().partition(";q=")
        try:
            ranked.append((float(quality or 1), tag))
        except ValueError:
            continue
    return [tag for quality, tag in sorted(ranked, key=lambda each: -each[0]) if quality > 0]
