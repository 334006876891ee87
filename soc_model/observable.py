"""Observable values in their one canonical form, the same for an indicator that is imported and a value in an event.

Each function gives the empty value for what is none; none of them raises, whatever the text is.
"""

import re
import socket
import unicodedata
from urllib.parse import quote

NAME_CHARS = 253  # of a domain name (RFC 1035)
URL_CHARS = 2048
_DOTS = str.maketrans({"\u3002": ".", "\uff0e": ".", "\uff61": "."})  # what IDNA takes for a dot (RFC 3490 §3.1)
_PORTS = {"http": "80", "https": "443", "ftp": "21", "ws": "80", "wss": "443"}
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_ESCAPE = re.compile("%([0-9A-Fa-f]{2})")
_AUTHORITY_END = re.compile("[/?]")
_HEX = re.compile("[0-9a-f]*")
_V4_IN_V6 = b"\0" * 10 + b"\xff\xff"


def domain_of(text: str) -> str:
    """A name in lower case and punycode, without port and final dot."""
    if ":" in text:
        text = text.partition(":")[0]
    name = text.strip().lower() if text.isascii() else _ascii(text.strip())
    name = name.removesuffix(".")
    return name if 0 < len(name) <= NAME_CHARS else ""


def _ascii(name: str) -> str:
    """UTS 46 without its exceptions: compatibility forms folded, each label that is not ASCII in punycode."""
    if len(name) > NAME_CHARS:
        return ""
    folded = unicodedata.normalize("NFKC", name.translate(_DOTS)).lower().translate(_DOTS)
    try:
        return ".".join(map(_label, folded.split(".")))
    except UnicodeError:
        return ""


def _label(label: str) -> str:
    return label if label.isascii() else f"xn--{label.encode('punycode').decode()}"


def address_of(text: str) -> bytes:
    """The 4 or 16 bytes of an address; of an IPv4 address that is mapped into IPv6 the 4."""
    try:
        return socket.inet_pton(socket.AF_INET, text)
    except (OSError, ValueError, UnicodeError):
        pass
    if ":" not in text or len(text) > 100:
        return b""
    try:
        packed = socket.inet_pton(socket.AF_INET6, text.strip("[] ").partition("%")[0])
    except (OSError, ValueError, UnicodeError):
        return b""
    return packed[12:] if packed.startswith(_V4_IN_V6) else packed


def address_text(packed: bytes) -> str:
    """The address as text."""
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)


def host_of(text: str) -> str:
    """The host of an authority: without user, port and brackets."""
    host = text.rpartition("@")[2]
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0] if host.count(":") == 1 else host


def url_of(text: str) -> str:
    """``host[:port]/path?query``: without scheme, user, usual port and fragment, escapes in one form (RFC 3986 §6.2.2).

    The scheme is left out because many records do not tell it.
    """
    if len(text) > URL_CHARS:
        return ""
    scheme, there, rest = text.strip().partition("://")
    if not there:
        scheme, rest = "", text.strip()
    rest = rest.partition("#")[0]
    found = _AUTHORITY_END.search(rest)
    authority, path = (rest[: found.start()], rest[found.start() :]) if found else (rest, "/")
    name = _authority(authority, _PORTS.get(scheme.lower(), ""))
    return f"{name}{_path(path)}" if name else ""


def _authority(authority: str, usual_port: str) -> str:
    host = host_of(authority)
    packed = address_of(host)
    name = address_text(packed) if packed else domain_of(host)
    after = authority.rpartition("@")[2].rpartition("]")[2].rpartition(":")
    port = after[2] if after[1] else ""
    usual = (usual_port,) if usual_port else ("80", "443")
    return f"{name}:{port}" if name and port and port not in usual else name


def _path(path: str) -> str:
    if path.startswith("?"):
        path = f"/{path}"
    if "%" in path:
        path = _ESCAPE.sub(_escape, path)
    if not path.isascii() or " " in path:
        path = quote(path, safe="!#$%&'()*+,/:;=?@[]~", errors="replace")
    return _without_dots(path) if "/." in path else path


def _escape(found: "re.Match[str]") -> str:
    char = chr(int(found[1], 16))
    return char if char in _UNRESERVED else found[0].upper()


def _without_dots(path: str) -> str:
    """RFC 3986 §5.2.4."""
    before, mark, query = path.partition("?")
    kept: list[str] = []
    parts = before.split("/")[1:]
    for part in parts:
        if part == "..":
            del kept[-1:]
        elif part != ".":
            kept.append(part)
    if parts[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept) + mark + query


def hash_of(text: str) -> str:
    """The digits of a hash in lower case."""
    low = text.strip().lower()
    return low if len(low) in (32, 40, 64) and _HEX.fullmatch(low) else ""


def email_of(text: str) -> str:
    """``local@domain`` in lower case; of ``Name <local@domain>`` what stands in the brackets."""
    if "<" in text:
        text = text.rpartition("<")[2].partition(">")[0]
    local, at, host = text.strip().rpartition("@")
    name = domain_of(host)
    return f"{local.lower()}@{name}" if at and local and name and len(local) <= 64 else ""
