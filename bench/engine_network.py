"""sshd lines, Zeek's DNS log and Suricata's EVE for the engine bench.

The first two are recordings made many: addresses, users, ports, names and times differ in every copy. EVE is written
from scratch after Suricata's documentation: DNS, HTTP, TLS, flow, file and alert records of a city's network.
"""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import msgspec

Event = dict[str, Any]

SSHD, ZEEK_DNS = "loghub/OpenSSH_2k.log", "zeek/dns.json.gz"
_ADDRESS = re.compile(rb"\b\d{1,3}(\.\d{1,3}){3}\b")
_HEAD = re.compile(rb"^(\w{3}) +(\d+) (\d\d):(\d\d):(\d\d) (\S+) sshd\[(\d+)\]")
_PORT = re.compile(rb"port \d+")
_USER = re.compile(rb"(user|for) ([a-z][a-z0-9_-]*) from")


def sshd(events: Path, count: int, seed: int) -> Iterator[bytes]:
    """``count`` lines of sshd; the process, the address and the port are new in each copy, half of the users too."""
    chance = Random(seed)
    lines = (events / SSHD).read_bytes().splitlines()
    for number in range(count):
        line = lines[number % len(lines)]
        if number >= len(lines):
            line = _line(line, chance, number)
        yield line


def _line(line: bytes, chance: Random, number: int) -> bytes:
    second, minute = number // 50 % 60, number // 3000 % 60
    clock = b"Dec %2d %02d:%02d:%02d LabSZ sshd[%d]" % (
        10 + number // 4_320_000,
        number // 180_000 % 24,
        minute,
        second,
        400 + number % 32_000,
    )
    address = b"%d.%d.%d.%d" % (
        chance.randrange(1, 224),
        chance.randrange(256),
        chance.randrange(256),
        chance.randrange(1, 255),
    )
    line = _ADDRESS.sub(address, _HEAD.sub(clock, line))
    line = _PORT.sub(b"port %d" % chance.randrange(1024, 65_536), line)
    if chance.random() < 0.5:
        line = _USER.sub(rb"\g<1> \g<2>%d from" % chance.randrange(1000), line)
    return line


def zeek_dns(events: Path, count: int, seed: int) -> Iterator[Event]:
    """``count`` records of Zeek's DNS log: first as recorded, then with new connections and a third of new names."""
    chance = Random(seed)
    recorded = [msgspec.json.decode(line) for line in gzip.decompress((events / ZEEK_DNS).read_bytes()).splitlines()]
    for number in range(count):
        event = recorded[number % len(recorded)]
        yield event if number < len(recorded) else _dns_copy(event, chance, number)


def _clock(number: int, each_second: int) -> str:
    """The time of day of the event of that number, with microseconds."""
    second, part = divmod(number, each_second)
    return f"{second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02}.{part * 1_000_000 // each_second:06}"


def _dns_copy(event: Event, chance: Random, number: int) -> Event:
    made = {**event, "uid": f"C{chance.getrandbits(80):x}"[:18], "id.orig_p": chance.randrange(1024, 65_536)}
    made["ts"] = made["_write_ts"] = f"2018-03-25T{_clock(number, 100)}Z"
    made["id.orig_h"] = f"10.{chance.randrange(40, 60)}.{chance.randrange(8)}.{chance.randrange(1, 255)}"
    if "query" in event and chance.random() < 0.33:
        made["query"] = f"h{chance.getrandbits(24):x}.{event['query']}"
    return made


DOMAINS = (
    "portal.city.example",
    "update.vendor.example",
    "mail.city.example",
    "gis.city.example",
    "cdn.video.example",
    "login.bank.example",
    "ntp.time.example",
    "api.map.example",
)
AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
    "curl/8.5.0",
    "Microsoft-CryptoAPI/10.0",
    "okhttp/4.12.0",
    "Microsoft-WNS/10.0",
)
PATHS = (
    "/",
    "/index.html",
    "/api/v1/items",
    "/static/app.js",
    "/login",
    "/images/logo.png",
    "/download/client.msi",
    "/search?q=bus+line",
    "/feed.xml",
)
SIGNATURES = (
    (2_100_498, "GPL ATTACK_RESPONSE id check returned root"),
    (2_013_028, "ET POLICY curl User-Agent Outbound"),
    (2_027_865, "ET INFO Observed DNS Query to .cloud TLD"),
    (2_210_054, "SURICATA STREAM excessive retransmissions"),
)
ODD = 0.003  # of the records: what rules look for


def eve(count: int, seed: int) -> Iterator[Event]:
    """``count`` records of EVE, tagged with the logsource that each kind has."""
    chance = Random(seed)
    kinds = (_dns, _http, _tls, _flow, _fileinfo, _alert)
    for number in range(count):
        yield chance.choices(kinds, (30, 20, 18, 25, 5, 2))[0](chance, number)


def _common(chance: Random, number: int, kind: str, port: int, category: str) -> Event:
    there = f"{chance.choice((10, 36, 42, 58, 101, 203))}.{chance.randrange(8)}.{chance.randrange(16)}"
    return {
        "timestamp": f"2026-03-02T{_clock(number, 400)}+0800",
        "flow_id": chance.getrandbits(50),
        "in_iface": "eth1",
        "event_type": kind,
        "src_ip": f"10.20.{chance.randrange(64)}.{chance.randrange(1, 255)}",
        "src_port": chance.randrange(1024, 65_536),
        "dest_ip": f"{there}.{chance.randrange(1, 255)}",
        "dest_port": port,
        "proto": "UDP" if port == 53 else "TCP",
        "ls_product": "suricata",
        "ls_service": kind,
        "ls_category": category,
    }


def _name(chance: Random) -> str:
    """A host name: four in five known, one in five new, few of them odd."""
    if chance.random() < ODD:
        return chance.choice(
            ("beacon.duckdns.org", "x.trycloudflare.com", f"{chance.getrandbits(120):x}.t1.example", "updates.ngrok.io")
        )
    return chance.choice(DOMAINS) if chance.random() < 0.8 else f"n{chance.getrandbits(28):x}.{chance.choice(DOMAINS)}"


def _dns(chance: Random, number: int) -> Event:
    name = _name(chance)
    body: Event = {
        "type": "answer",
        "id": chance.randrange(65_536),
        "rrname": name,
        "rrtype": chance.choice(("A", "AAAA", "A", "TXT")),
        "rcode": "NOERROR",
        "tx_id": 0,
    }
    body["answers"] = [
        {"rrname": name, "rrtype": "A", "ttl": 300, "rdata": f"36.1.{chance.randrange(256)}.{chance.randrange(256)}"}
    ]
    return {**_common(chance, number, "dns", 53, "dns"), "dns": body}


def _http(chance: Random, number: int) -> Event:
    url = (
        chance.choice(PATHS)
        if chance.random() < 0.7
        else f"/item/{chance.getrandbits(32):x}?page={chance.randrange(90)}"
    )
    agent = chance.choice(AGENTS)
    if chance.random() < ODD:
        url, agent = chance.choice(
            (
                ("/wp-login.php?cmd=whoami", "python-requests/2.31"),
                ("/cgi-bin/../../etc/passwd", "sqlmap/1.8"),
                ("/x.ps1", "WindowsPowerShell/5.1"),
            )
        )
    body = {
        "hostname": _name(chance),
        "url": url,
        "http_user_agent": agent,
        "http_method": chance.choice(("GET", "GET", "GET", "POST")),
        "protocol": "HTTP/1.1",
        "status": chance.choice((200, 200, 200, 304, 404)),
        "length": chance.randrange(200_000),
        "http_content_type": "text/html",
    }
    return {**_common(chance, number, "http", 80, "proxy"), "tx_id": 0, "http": body}


def _tls(chance: Random, number: int) -> Event:
    name = _name(chance)
    body = {
        "subject": f"CN={name}",
        "issuerdn": "C=CN, O=City CA, CN=City CA G2",
        "serial": f"{chance.getrandbits(64):X}",
        "fingerprint": ":".join(f"{chance.randrange(256):02x}" for _ in range(20)),
        "sni": name,
        "version": "TLS 1.2",
        "notbefore": "2026-01-01T00:00:00",
        "notafter": "2027-01-01T00:00:00",
        "ja3": {"hash": f"{chance.randrange(40):032x}"},
    }
    return {**_common(chance, number, "tls", 443, "tls"), "tls": body}


def _flow(chance: Random, number: int) -> Event:
    packets = chance.randrange(1, 900)
    body = {
        "pkts_toserver": packets,
        "pkts_toclient": packets + 3,
        "bytes_toserver": packets * 120,
        "bytes_toclient": packets * 700,
        "start": "2026-03-02T00:00:00.000000+0800",
        "end": "2026-03-02T00:01:00.000000+0800",
        "age": 60,
        "state": "closed",
        "reason": "timeout",
        "alerted": False,
    }
    port = chance.choice((443, 443, 80, 53, 22, 445, 3306, 8443))
    return {**_common(chance, number, "flow", port, "firewall"), "app_proto": "tls", "flow": body, "action": "allow"}


def _fileinfo(chance: Random, number: int) -> Event:
    body = {
        "filename": f"/download/{chance.getrandbits(24):x}.{chance.choice(('exe', 'zip', 'pdf', 'js'))}",
        "magic": "data",
        "state": "CLOSED",
        "stored": False,
        "size": chance.randrange(5_000_000),
        "sha256": f"{chance.getrandbits(256):064x}",
        "tx_id": 0,
    }
    return {**_common(chance, number, "fileinfo", 80, "fileinfo"), "fileinfo": body}


def _alert(chance: Random, number: int) -> Event:
    code, signature = chance.choice(SIGNATURES)
    body = {
        "action": "allowed",
        "gid": 1,
        "signature_id": code,
        "rev": 7,
        "signature": signature,
        "category": "Potentially Bad Traffic",
        "severity": 2,
    }
    return {**_common(chance, number, "alert", 80, "ids"), "alert": body}
