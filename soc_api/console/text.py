"""Text that others wrote, made safe to look at.

Jinja escapes markup; here characters that a reader would not see, or that reorder what is seen, become visible marks.
"""

import re
import unicodedata

from markupsafe import Markup, escape

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
#: Each also claims to be those after it.
_BROWSERS = {"Edg": "Edge", "OPR": "Opera", "Firefox": "Firefox", "HeadlessChrome": "Chrome", "Chrome": "Chrome"}
_BROWSERS |= {"Safari": "Safari"}
_SYSTEMS = {"Windows": "Windows", "Android": "Android", "iPhone": "iOS", "iPad": "iOS", "Mac OS X": "macOS"}
_SYSTEMS |= {"Linux": "Linux"}
_LAID_OUT = frozenset("\n\t")


def hidden(character: str) -> bool:
    """Whether a character is invisible, reorders text, or is no character: control, format, surrogate, private."""
    return unicodedata.category(character) in _HIDDEN


def plain(value: object) -> str:
    """One line of text with hidden characters as ``⟨U+202E⟩``, for attributes and titles."""
    return "".join(f"⟨U+{ord(each):04X}⟩" if hidden(each) else each for each in str(value))


def visible(value: object, *, lines: bool = False) -> Markup:
    """Escaped text with hidden characters as marks; with ``lines`` line breaks and tabs stay as they are."""
    text = str(value)
    if text.isascii() and text.isprintable():
        return escape(text)
    kept = _LAID_OUT if lines else frozenset[str]()
    return Markup("").join(
        Markup('<span class="hidden-char">U+{:04X}</span>').format(ord(each))
        if each not in kept and hidden(each)
        else each
        for each in text
    )


def block(value: object) -> Markup:
    """Several lines of hostile text, for ``<pre>``."""
    return visible(value, lines=True)


def prose(value: object) -> Markup:
    """Hostile text of paragraphs: a single line break is how its author wrapped it, an empty line parts paragraphs."""
    paragraphs = str(value).replace("\r\n", "\n").split("\n\n")
    return visible("\n\n".join(" ".join(paragraph.split("\n")) for paragraph in paragraphs), lines=True)


def browser(agent: object) -> str:
    """Browser, its version and the system of a User-Agent, as ``Firefox 145 · Linux``; what is no browser as it is."""
    found = next((re.search(rf"({name})/(\d+)", str(agent)) for name in _BROWSERS if f"{name}/" in str(agent)), None)
    system = next((shown for mark, shown in _SYSTEMS.items() if mark in str(agent)), "")
    if found is None:
        return str(agent)
    return f"{_BROWSERS[found[1]]} {found[2]}" + (f" · {system}" if system else "")


def query_value(value: object) -> str:
    """A value as the query language wants it: quoted, with quotes, backslashes and wildcards escaped."""
    text = str(value)
    for special in '\\"*?':
        text = text.replace(special, "\\" + special)
    return f'"{text}"'
