"""pySigma's value modifiers, with those replaced where 1.5 departs from the specification 2.1.

``utf16le`` is missing there; ``base64`` encodes an escaped wildcard with its backslash; ``base64offset`` cuts by
characters where bytes are meant and makes an empty text, found everywhere, of a single byte; ``utf16`` writes its byte
order mark as UTF-8; ``windash`` has no bound, leaves the dashes that are not ASCII and forgets ``cased``, as do
``base64`` and ``fieldref``. ``expand`` is done in its place, by the site's values, so that what stands after it sees
them.
"""

import re
from base64 import b64encode
from itertools import product
from typing import Any, ClassVar

from sigma.exceptions import SigmaValueError
from sigma.modifiers import (
    SigmaCaseSensitiveModifier,
    SigmaCIDRModifier,
    SigmaFieldReferenceModifier,
    SigmaModifier,
    SigmaValueModifier,
    modifier_mapping,
)
from sigma.types import (
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaString,
)

from detection_rules.placeholders import Expand, SiteValues, expanding, with_parts

MAX_DASHES = 5
DASHES = "-/\u2013\u2014\u2015"

_DASH = re.compile(rf"\B[{DASHES}]\b")

Modifiers = dict[str, type[SigmaModifier[Any, Any]]]


class EncodedString(SigmaString):
    """A text that stands for bytes: what ``wide`` and ``utf16*`` give and ``base64*`` take."""

    encoded: bytes = b""


class EncodedCasedString(EncodedString, SigmaCasedString):
    """The same, compared as it is written."""


def _plain(value: SigmaString, what: str) -> str:
    if any(not isinstance(part, str) for part in value.s):
        raise SigmaValueError(f"{what} of a value with wildcards or placeholders is not possible")
    return "".join(map(str, value.s))


class Utf16(SigmaValueModifier[SigmaString, SigmaString]):
    """The text in UTF-16; wildcards stay what they are."""

    codec: ClassVar[str] = "utf-16le"
    mark: ClassVar[bytes] = b""

    def modify(self, val: SigmaString) -> SigmaString:
        """The encoded text; it can only be searched for as such when its bytes are also UTF-8."""
        found = (EncodedCasedString if isinstance(val, SigmaCasedString) else EncodedString)("")
        if all(isinstance(part, str) for part in val.s):
            found.encoded = self.mark + _plain(val, "UTF-16").encode(self.codec)
        mark = self.mark
        for part in val.s:
            if isinstance(part, str):
                found.s.append((mark + part.encode(self.codec)).decode("utf-8", "replace"))
                mark = b""
            else:
                found.s.append(part)
        return found


class Utf16BigEndian(Utf16):
    """The text in UTF-16, high byte first."""

    codec = "utf-16be"


class Utf16Marked(Utf16):
    """The text in UTF-16 after a byte order mark."""

    mark = b"\xff\xfe"


def _bytes(value: SigmaString) -> bytes:
    text = _plain(value, "Base64")
    return value.encoded if isinstance(value, EncodedString) else text.encode()


class Base64(SigmaValueModifier[SigmaString, SigmaString]):
    """The value in Base64."""

    def modify(self, val: SigmaString) -> SigmaString:
        """One text."""
        return with_parts(val, [b64encode(_bytes(val)).decode()])


class Base64Offset(SigmaValueModifier[SigmaString, SigmaExpansion]):
    """The parts of the value's Base64 that stay the same at each of the three places it can begin at."""

    def modify(self, val: SigmaString) -> SigmaExpansion:
        """Three texts, any of which is meant."""
        data = _bytes(val)
        if len(data) < 2:
            raise SigmaValueError("Base64 of a single byte has no part that stays the same")
        return SigmaExpansion([with_parts(val, [_shifted(data, shift)]) for shift in range(3)])


def _shifted(data: bytes, shift: int) -> str:
    start = (0, 2, 3)[shift]
    end = (None, -3, -2)[(len(data) + shift) % 3]
    return b64encode(b" " * shift + data)[start:end].decode()


class WindowsDash(SigmaValueModifier[SigmaString, SigmaExpansion]):
    """Every way to write the dashes that begin Windows parameters, for at most ``MAX_DASHES`` of them."""

    def modify(self, val: SigmaString) -> SigmaExpansion:
        """All permutations."""
        if sum(len(_DASH.findall(part)) for part in val.s if isinstance(part, str)) > MAX_DASHES:
            raise SigmaValueError(f"windash: more than {MAX_DASHES} dashes in one value")
        return SigmaExpansion([with_parts(val, parts) for parts in product(*map(_dashed, val.s))])


def _dashed(part: Any) -> list[Any]:
    if not isinstance(part, str):
        return [part]
    pieces = _DASH.split(part)
    return [
        "".join(map("".join, zip(pieces, (*dashes, ""), strict=True)))
        for dashes in product(DASHES, repeat=len(pieces) - 1)
    ]


class Cidr(SigmaCIDRModifier):
    """A network, written out or one of a list of the site."""

    def modify(self, val: SigmaString) -> SigmaCIDRExpression:
        """The network."""
        if any(not issubclass(kind, Expand) for kind in self.applied_modifiers):
            raise SigmaValueError("cidr takes a value as it is written, or one that expand gave")
        return SigmaCIDRExpression(str(val), source=self.source)


class FieldReference(SigmaFieldReference):
    """Another field of the same event; ``cased`` compares both as they are written."""

    cased: bool = False


class FieldReferenceModifier(SigmaFieldReferenceModifier):
    """The value names a field."""

    def modify(self, val: SigmaString) -> SigmaFieldReference:
        """The reference."""
        made = FieldReference(_plain(val, "a field reference"))
        made.cased = isinstance(val, SigmaCasedString)
        return made


class Cased(SigmaCaseSensitiveModifier):
    """Compared as it is written."""

    def modify(  # type: ignore[override]  # pySigma reads what may be given from this annotation
        self, val: SigmaString | SigmaFieldReference
    ) -> SigmaCasedString | SigmaFieldReference:
        """The same, cased."""
        if isinstance(val, SigmaFieldReference):
            if isinstance(val, FieldReference):
                val.cased = True
            return val
        if isinstance(val, EncodedString):
            made = EncodedCasedString("")
            made.s, made.encoded = val.s, val.encoded
            return made
        return SigmaCasedString.from_sigma_string(val)


_MODIFIERS: Modifiers = {
    **modifier_mapping,
    "wide": Utf16,
    "utf16le": Utf16,
    "utf16be": Utf16BigEndian,
    "utf16": Utf16Marked,
    "base64": Base64,
    "base64offset": Base64Offset,
    "windash": WindowsDash,
    "cidr": Cidr,
    "cased": Cased,
    "fieldref": FieldReferenceModifier,
}


def modifiers(site: SiteValues) -> Modifiers:
    """All modifiers, ``expand`` with the values of this site."""
    return {**_MODIFIERS, "expand": expanding(site)}
