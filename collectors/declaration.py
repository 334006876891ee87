"""A format declared as YAML, read and checked: every complaint names file and line.

Keys of ``formats/NAME.yml`` (all but ``description`` and ``time`` may be left out):
  description   one line for people
  layer         the layer such sources usually watch
  read          how records are written, if not one JSON object a line: {as: text | pairs}, {as: columns, names: [...]},
                {as: header, mark, separator, said: {mark: field}}, {as: json, inside: [names of lists in envelopes]};
                see ``collectors.record_reader``. A column whose name ends with ? may be missing, one with * takes
                the rest of the line, - is left out
  recognise     fields: names that must all be there (one of a list: [a, b]); values: {field: [allowed values]}
  time          list of {field, kind: iso | s | ms | us | any | PATTERN with %}; the first that can be read counts
  identity      fields that together identify the record everywhere
  dataset       a name, or {prefix, field}
  logsource     product, category, service: each a name, or {field} (the value itself), or {field, words: {value: name},
                else: name}
  constants     fields with one value per event type
  header        ECS column: source field or list of fields; {field, word: N} takes the Nth word
  host_addresses  fields with the own addresses of the host in host.name; only what the producer documents as that
  fields        Sigma field: source field, or list of them of which the first with a value counts; also
                {field, word: N}, {field, before: C}, {field, after: C}, {field, first: N} for the first N words,
                {field, blank: C} where C stands for a blank, {field, part: host | path | query | extension} of a URL,
                {field, words: {value: word}, else: WORD, absent: WORD}, {fields: [...], join: C} for the texts of
                several fields, {field, join: C} for those of one list. A field that no rule asks for is not made
  lists         lists of named values: {at: path, name: key, value: key or keys, prefix} (``collectors.nested_values``)
  texts         objects and lists that are a field as their own JSON text too
"""

import re
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from collectors.nested_values import NamedList
from collectors.pick import PARTS, Name, Pick
from collectors.record_reader import Reading
from soc_model.event import HEADER
from soc_model.layer import Layer
from soc_model.problem import Problem

KEYS = (
    "description",
    "layer",
    "read",
    "recognise",
    "time",
    "identity",
    "dataset",
    "logsource",
    "constants",
    "header",
    "host_addresses",
    "fields",
    "lists",
    "texts",
)
READ_KEYS = ("as", "inside", "names", "mark", "separator", "said")
READ_KINDS = ("json", "text", "pairs", "columns", "header")
PICK_KEYS = ("field", "fields", "word", "before", "after", "join", "words", "else", "absent", "part", "first", "blank")
KINDS = ("iso", "s", "ms", "us", "any")
FILE_BYTES = 256 * 1024


class Declaration(NamedTuple):
    """One declared format, checked."""

    name: str
    description: str
    layer: Layer | None
    must_have: tuple[tuple[str, ...], ...]
    must_be: dict[str, tuple[Any, ...]]
    times: tuple[tuple[str, str], ...]
    identity: tuple[str, ...]
    dataset: Name
    logsource: dict[str, Name]
    constants: tuple[str, ...]
    header: dict[str, tuple[Pick, ...]]
    fields: dict[str, tuple[Pick, ...]]
    host_addresses: tuple[str, ...] = ()
    reading: Reading = Reading()
    lists: tuple[NamedList, ...] = ()
    texts: tuple[str, ...] = ()

    @property
    def as_written(self) -> bool:
        """Whether every value it makes is a part of one in its JSON record: no words, no joins, no text of objects."""
        picks = [pick for several in self.fields.values() for pick in several]
        return (
            self.reading.kind == "json" and not self.lists and not self.texts and all(one.as_written for one in picks)
        )


def read_declaration(path: Path) -> Declaration:
    """The declaration in a file; raises ``Problem`` with file and line for what is wrong in it."""
    return _Reader(path).declaration()


class _Reader:
    """Reads one file, remembering on which line every key stands."""

    def __init__(self, path: Path) -> None:
        self._path = path
        text = path.read_bytes()
        if len(text) > FILE_BYTES:
            raise Problem(str(path), f"larger than {FILE_BYTES} bytes")
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
            self._lines = _lines(node, ())
            self._data = yaml.safe_load(text)
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            mark = getattr(error, "problem_mark", None)
            raise Problem(f"{path}:{mark.line + 1 if mark else 1}", f"no YAML: {error}") from error

    def declaration(self) -> Declaration:
        data = self._known((), self._mapping(()), KEYS)
        if "time" not in data:
            raise self._problem((), "no 'time'")
        self._known(("recognise",), self._mapping(("recognise",)), ("fields", "values"))
        return Declaration(
            name=self._path.stem,
            description=str(data.get("description", "")),
            layer=self._layer(),
            must_have=self._must_have(),
            must_be={n: tuple(_listed(one)) for n, one in self._mapping(("recognise", "values")).items()},
            times=self._times(),
            identity=self._names("identity"),
            dataset=self._name(("dataset",), ("prefix", "field"), self._path.stem),
            logsource=self._logsource(),
            constants=self._names("constants"),
            header=self._picks("header", HEADER),
            fields=self._picks("fields", None),
            host_addresses=self._names("host_addresses"),
            reading=self._reading(),
            lists=self._lists(),
            texts=self._names("texts"),
        )

    def _reading(self) -> Reading:
        given = self._known(("read",), self._mapping(("read",)), READ_KEYS)
        kind = given.get("as", "json")
        if kind not in READ_KINDS:
            raise self._problem(("read", "as"), f"'as' must be one of {', '.join(READ_KINDS)}")
        texts = {key: [str(one) for one in _listed(given.get(key, []))] for key in ("inside", "names")}
        if (kind == "columns") != bool(texts["names"]) or (kind == "header") != bool(given.get("mark")):
            raise self._problem(("read",), "columns need 'names', header needs 'mark', and others neither")
        return Reading(
            kind=kind,
            inside=tuple(texts["inside"]),
            names=tuple(texts["names"]),
            mark=str(given.get("mark", "")),
            separator=str(given.get("separator", "")),
            said=tuple((str(mark), str(name)) for mark, name in self._mapping(("read", "said")).items()),
        )

    def _lists(self) -> tuple[NamedList, ...]:
        found = []
        for i, entry in enumerate(_listed(self._at(("lists",)) or [])):
            place = ("lists", i)
            if not isinstance(entry, dict) or not all(isinstance(entry.get(key), str) for key in ("at", "name")):
                raise self._problem(place, "a list must have 'at', 'name' and 'value'")
            self._known(place, entry, ("at", "name", "value", "prefix"))
            values = tuple(map(str, _listed(entry.get("value", "value"))))
            found.append(NamedList(tuple(entry["at"].split(".")), entry["name"], values, str(entry.get("prefix", ""))))
        return tuple(found)

    def _problem(self, place: tuple[str | int, ...], what: str) -> Problem:
        while place and place not in self._lines:
            place = place[:-1]
        return Problem(f"{self._path}:{self._lines.get(place, 1)}", what)

    def _at(self, place: tuple[str | int, ...]) -> Any:
        value = self._data
        for step in place:
            value = value.get(step) if isinstance(value, dict) else None
        return value

    def _mapping(self, place: tuple[str | int, ...]) -> dict[str, Any]:
        value = self._at(place)
        if value is None and place:
            return {}
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise self._problem(place, f"{_said(place)} must be a mapping with text keys")
        return value

    def _known(self, place: tuple[str | int, ...], value: dict[str, Any], known: tuple[str, ...]) -> dict[str, Any]:
        for key in value:
            if key not in known:
                close = get_close_matches(key, known, 1, 0.5)
                hint = f", did you mean {close[0]!r}?" if close else f"; known are {', '.join(known)}"
                raise self._problem((*place, key), f"unknown key {key!r}{hint}")
        return value

    def _layer(self) -> Layer | None:
        value = self._at(("layer",))
        if value is None:
            return None
        if value not in tuple(Layer):
            raise self._problem(("layer",), f"unknown layer {value!r}; there are {', '.join(Layer)}")
        return Layer(value)

    def _must_have(self) -> tuple[tuple[str, ...], ...]:
        place = ("recognise", "fields")
        given = [tuple(_listed(one)) for one in _listed(self._at(place) or [])]
        if not all(isinstance(name, str) for names in given for name in names):
            raise self._problem(place, f"{_said(place)} must be field names, or lists of which one must be there")
        return tuple(given)

    def _names(self, key: str) -> tuple[str, ...]:
        names = _listed(self._at((key,)) or [])
        if not all(isinstance(name, str) and name for name in names):
            raise self._problem((key,), f"{key!r} must be a list of field names")
        return tuple(names)

    def _times(self) -> tuple[tuple[str, str], ...]:
        times = []
        for i, entry in enumerate(_listed(self._at(("time",)))):
            if not isinstance(entry, dict) or not isinstance(entry.get("field"), str):
                raise self._problem(("time", i), "a time must be {field: NAME, kind: KIND}")
            self._known(("time", i), entry, ("field", "kind"))
            kind = str(entry.get("kind", "any"))
            if kind not in KINDS and "%" not in kind:
                raise self._problem(("time", i, "kind"), f"unknown kind {kind!r}; {', '.join(KINDS)} or a % pattern")
            times.append((entry["field"], kind))
        return tuple(times)

    def _name(self, place: tuple[str | int, ...], keys: tuple[str, ...], default: str) -> Name:
        value = self._at(place)
        if value is None:
            return Name(default)
        if isinstance(value, str):
            return Name(value)
        if not isinstance(value, dict) or not isinstance(value.get("field"), str):
            raise self._problem(place, f"{_said(place)} must be a name or have a 'field'")
        self._known(place, value, keys)
        words = self._mapping((*place, "words"))
        return Name(
            str(value.get("prefix", "")),
            value["field"],
            tuple((k, str(v)) for k, v in words.items()),
            str(value.get("else", "")),
        )

    def _logsource(self) -> dict[str, Name]:
        parts = ("product", "category", "service")
        given = self._known(("logsource",), self._mapping(("logsource",)), parts)
        return {part: self._name(("logsource", part), ("field", "words", "else"), "") for part in given}

    def _picks(self, key: str, known: tuple[str, ...] | None) -> dict[str, tuple[Pick, ...]]:
        value = self._mapping((key,))
        if known is not None:
            self._known((key,), value, known)
        return {name: tuple(self._pick((key, name), one) for one in _listed(entry)) for name, entry in value.items()}

    def _pick(self, place: tuple[str | int, ...], entry: Any) -> Pick:
        if isinstance(entry, str):
            return Pick(entry)
        names = _listed(entry.get("field", entry.get("fields"))) if isinstance(entry, dict) else []
        if not names or not all(isinstance(name, str) and name for name in names):
            raise self._problem(place, f"{_said(place)} must name source fields")
        self._known(place, entry, PICK_KEYS)
        word, words = entry.get("word"), entry.get("words", {})
        if word is not None and not (type(word) is int and 0 <= word < 64):
            raise self._problem(place, "'word' must be a number from 0 to 63")
        if not isinstance(words, dict) or (len(names) > 1 and "join" not in entry):
            raise self._problem(place, "'words' must be words by value, and several 'fields' need 'join'")
        return Pick(
            names[0],
            word,
            str(entry.get("before", "")),
            str(entry.get("after", "")),
            tuple(names[1:]),
            None if "join" not in entry else str(entry["join"]),
            tuple((str(value), str(said)) for value, said in words.items()),
            None if "else" not in entry else str(entry["else"]),
            None if "absent" not in entry else str(entry["absent"]),
            self._part(place, entry),
            self._first(place, entry),
            str(entry.get("blank", "")),
        )

    def _part(self, place: tuple[str | int, ...], entry: dict[str, Any]) -> str:
        part = entry.get("part", "")
        if part and part not in PARTS:
            raise self._problem(place, f"'part' must be one of {', '.join(PARTS)}")
        return str(part)

    def _first(self, place: tuple[str | int, ...], entry: dict[str, Any]) -> int:
        first = entry.get("first", 0)
        if type(first) is not int or not 0 <= first < 64:
            raise self._problem(place, "'first' must be a number from 1 to 63")
        return first


def _lines(node: Any, place: tuple[str | int, ...]) -> dict[tuple[str | int, ...], int]:
    """The line of every key and item."""
    lines: dict[tuple[str | int, ...], int] = {}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            step = (*place, key.value)
            lines |= {**_lines(value, step), step: key.start_mark.line + 1}
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            lines |= {**_lines(value, (*place, i)), (*place, i): value.start_mark.line + 1}
    return lines


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _said(place: tuple[str | int, ...]) -> str:
    return repr(".".join(map(str, place))) if place else "a format"


SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
