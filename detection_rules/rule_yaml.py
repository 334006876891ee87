"""The bytes of one rule file to its documents, each with the line it begins on.

Documents are split at ``---`` before parsing, so that one with a syntax error does not take the others with it. Aliases
and nesting are capped before anything is built from them, because rule files come from outside.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import yaml
from sigma.rule.base import SigmaYAMLLoader

from detection_rules.rule import Refusal, RuleDocument

MAX_TEXT_BYTES = 1024 * 1024
MAX_DEPTH = 64
MAX_NODES = 50_000
SUSPICIOUS = 500  # openers or bytes of indentation below which no text can nest deeply enough to matter

_MARKER = re.compile(r"(?m)^---(?=\s|$)")
_OPENER = re.compile(r"[\[{]|[-?:]\s")


def parse_documents(path: str, data: bytes) -> Iterator[RuleDocument | Refusal]:
    """The documents of one file in order; a document that cannot be parsed becomes a refusal at its line."""
    if len(data) > MAX_TEXT_BYTES:
        yield Refusal(path=path, line=1, reason=f"larger than {MAX_TEXT_BYTES} bytes")
        return
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        yield Refusal(path=path, line=line, reason=f"not UTF-8: {error.reason}")
        return
    for line, part in _split(text.replace("\r\n", "\n")):
        yield from _parse_document(path, line, part)


def _split(text: str) -> Iterator[tuple[int, str]]:
    """(first line, text) of each document; a marker at column 0 is always one (YAML 1.2.2, 9.1.2)."""
    cuts = [match.start() for match in _MARKER.finditer(text)]
    first = text[: cuts[0]] if cuts else text
    if any(line and not line.startswith(("%", "#")) for line in first.splitlines()):
        yield 1, first
    for start, end in pairwise([*cuts, len(text)]):
        yield text.count("\n", 0, start) + 1, "   " + text[start + 3 : end]


def _parse_document(path: str, line: int, text: str) -> Iterator[RuleDocument | Refusal]:
    try:
        start, data = _load(text)
    except yaml.MarkedYAMLError as error:
        at = line + (error.problem_mark.line if error.problem_mark else 0)
        yield Refusal(path=path, line=at, reason=f"YAML: {error.problem or error.context}")
    except yaml.YAMLError as error:
        yield Refusal(path=path, line=line, reason=f"YAML: {error}")
    except (RecursionError, ValueError, TypeError, OverflowError) as error:
        yield Refusal(path=path, line=line, reason=f"YAML: {type(error).__name__}: {error}")
    else:
        if data is not None and not isinstance(data, dict):
            yield Refusal(path=path, line=line + start, reason="not a mapping, so not a rule")
        elif data is not None:
            yield RuleDocument(path=path, line=line + start, text=text.strip(), data=data)


def _load(text: str) -> tuple[int, Any]:
    """(line of the first key, counted from 0; the value) of a text with one document."""
    if _may_nest_deeply(text):
        _check_depth(text)
    loader = SigmaYAMLLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return 0, None
        if "*" in text and "&" in text:
            _check_aliases(node)
        return node.start_mark.line, loader.construct_document(node)
    finally:
        loader.dispose()


def _may_nest_deeply(text: str) -> bool:
    return len(_OPENER.findall(text)) > SUSPICIOUS or "\n" + " " * MAX_DEPTH in text


def _check_depth(text: str) -> None:
    """Raises when nodes nest more than ``MAX_DEPTH`` deep; the composer would follow them on the C stack."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise yaml.MarkedYAMLError(None, None, f"nested more than {MAX_DEPTH} deep", _mark(event))
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _mark(event: yaml.Event) -> Any:
    return event.start_mark


def _check_aliases(node: yaml.Node) -> None:
    """Raises when the document, with every alias written out, has more than ``MAX_NODES`` nodes or no end."""
    sizes: dict[int, int] = {}
    if _size(node, sizes) > MAX_NODES:
        raise yaml.MarkedYAMLError(None, None, f"aliases unfold to more than {MAX_NODES} nodes", node.start_mark)


def _size(node: yaml.Node, sizes: dict[int, int]) -> int:
    known = sizes.get(id(node))
    if known is not None:
        return known
    sizes[id(node)] = MAX_NODES + 1  # seen again below itself: a node that contains itself has no end
    children = node.value if isinstance(node, yaml.CollectionNode) else []
    if isinstance(node, yaml.MappingNode):
        children = [part for pair in children for part in pair]
    sizes[id(node)] = size = min(1 + sum(_size(child, sizes) for child in children), MAX_NODES + 1)
    return size
