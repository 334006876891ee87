"""pySigma's value modifiers, with those replaced where 1.5 departs from the specification 2.1.

``utf16le`` is missing there; ``base64`` encodes an escaped wildcard with its backslash; ``base64offset`` cuts by
characters where bytes are meant; ``utf16`` writes its byte order mark as UTF-8; ``windash`` has no bound.
"""

from base64 import b64encode
from typing import Any, ClassVar

from sigma.exceptions import SigmaValueError
from sigma.modifiers import (
    SigmaModifier,
    SigmaValueModifier,
    SigmaWindowsDashModifier,
    modifier_mapping,
)
from sigma.types import Placeholder, SigmaExpansion, SigmaString

MAX_DASHES = 5


class EncodedString(SigmaString):
    """A text that stands for bytes: what ``wide`` and ``utf16*`` give and ``base64*`` take."""

    encoded: bytes = b""

    @classmethod
    def of(cls, data: bytes) -> "EncodedString":
        """The bytes, readable as text where they are UTF-8."""
        found = cls("")
        found.encoded = data
        found.s = [data.decode("utf-8", "replace")]
        return found


def _plain(value: SigmaString, what: str) -> str:
    if value.contains_special() or any(isinstance(part, Placeholder) for part in value.s):
        raise SigmaValueError(f"{what} of a value with wildcards or placeholders is not possible")
    return "".join(str(part) for part in value.s)


class Utf16(SigmaValueModifier[SigmaString, SigmaString]):
    """The text in UTF-16."""

    codec: ClassVar[str] = "utf-16le"
    mark: ClassVar[bytes] = b""

    def modify(self, val: SigmaString) -> SigmaString:
        """The encoded text; it can only be searched for as such when its bytes are also UTF-8."""
        return EncodedString.of(self.mark + _plain(val, "UTF-16").encode(self.codec))


class Utf16BigEndian(Utf16):
    """The text in UTF-16, high byte first."""

    codec = "utf-16be"


class Utf16Marked(Utf16):
    """The text in UTF-16 after a byte order mark."""

    mark = b"\xff\xfe"


def _bytes(value: SigmaString) -> bytes:
    return value.encoded if isinstance(value, EncodedString) else _plain(value, "Base64").encode()


class Base64(SigmaValueModifier[SigmaString, SigmaString]):
    """The value in Base64."""

    def modify(self, val: SigmaString) -> SigmaString:
        """One text."""
        return SigmaString.from_str(b64encode(_bytes(val)).decode())


class Base64Offset(SigmaValueModifier[SigmaString, SigmaExpansion]):
    """The parts of the value's Base64 that stay the same at each of the three places it can begin at."""

    def modify(self, val: SigmaString) -> SigmaExpansion:
        """Three texts, any of which is meant."""
        data = _bytes(val)
        return SigmaExpansion([SigmaString.from_str(_shifted(data, shift)) for shift in range(3)])


def _shifted(data: bytes, shift: int) -> str:
    start = (0, 2, 3)[shift]
    end = (None, -3, -2)[(len(data) + shift) % 3]
    return b64encode(b" " * shift + data)[start:end].decode()


class WindowsDash(SigmaWindowsDashModifier):
    """Every way to write the dashes of Windows parameters, for at most ``MAX_DASHES`` of them."""

    def modify(self, val: SigmaString) -> SigmaExpansion:
        """All permutations."""
        if sum(part.count("-") + part.count("/") for part in val.s if isinstance(part, str)) > 4 * MAX_DASHES:
            raise SigmaValueError("windash: too many dashes in one value")
        found = super().modify(val)
        if len(found.values) > 5**MAX_DASHES:
            raise SigmaValueError(f"windash: more than {MAX_DASHES} dashes in one value")
        return found


MODIFIERS: dict[str, type[SigmaModifier[Any, Any]]] = {
    **modifier_mapping,
    "wide": Utf16,
    "utf16le": Utf16,
    "utf16be": Utf16BigEndian,
    "utf16": Utf16Marked,
    "base64": Base64,
    "base64offset": Base64Offset,
    "windash": WindowsDash,
}
