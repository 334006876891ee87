"""Windows events of about 1 KB as flat NDJSON: Sysmon and Security, as log shippers export them.

Every event has values that no other has (record number, GUIDs, times, and in a quarter of the command lines an
argument); images, users, hosts and hashes repeat as they do on a fleet of machines.
"""

import json
from random import Random
from typing import Any

from bench.block import ISO, NUMBER, SPACED, uid

HOSTS = 200
BYTES = 1000
SYSMON = "Microsoft-Windows-Sysmon/Operational"
SERVICES, EXPLORER = "C:\\Windows\\System32\\services.exe", "C:\\Windows\\explorer.exe"
SVCHOST = "C:\\Windows\\System32\\svchost.exe"
AGENT = "C:\\Program Files\\City\\Agent\\agent.exe"
CHROME = "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe"
#: Image, command line, and the image that usually starts it.
PROGRAMS = (
    (SVCHOST, SVCHOST + " -k netsvcs -p -s Schedule", SERVICES),
    ("C:\\Windows\\System32\\taskhostw.exe", "taskhostw.exe /RuntimeWide", SVCHOST),
    (CHROME, f'"{CHROME}" --type=renderer --lang=zh-CN', EXPLORER),
    ("C:\\Windows\\System32\\SearchIndexer.exe", "C:\\Windows\\system32\\SearchIndexer.exe /Embedding", SERVICES),
    ("C:\\Windows\\System32\\backgroundTaskHost.exe", "backgroundTaskHost.exe -ServerName:App.AppXmtcan0h2", SVCHOST),
    (AGENT, f'"{AGENT}" --collect --interval 60 --site dongcheng', SERVICES),
    ("C:\\Program Files\\7-Zip\\7zG.exe", '"C:\\Program Files\\7-Zip\\7zG.exe" x -o"D:\\data\\import" -y', EXPLORER),
)
TALKERS = (CHROME, AGENT)
WHOAMI = ("C:\\Windows\\System32\\whoami.exe", "whoami /priv", "C:\\Windows\\System32\\cmd.exe")
SUSPICIOUS = 0.01  # of process creations: about 4 findings in 1,000 events
USERS = ("CITY\\zhang.wei", "CITY\\li.na", "NT AUTHORITY\\SYSTEM", "CITY\\svc-backup", "CITY\\wang.fang")
DOMAINS = ("portal.city.example", "update.vendor.example", "mail.city.example", "gis.city.example")


def windows_event(chance: Random, number: int) -> bytes:
    """One event as a line of JSON without its end, with the marks of ``bench.block``."""
    kind = chance.choices((_process, _network, _file, _registry, _dns, _logon, _logoff), (25, 20, 10, 12, 10, 15, 8))[0]
    fields = {**kind(chance, number), "bench_uid": uid(number).decode()}
    room = BYTES - len(_json(fields)) - 14
    if room > 0:
        fields["Message"] = ("The event was recorded by the provider on this computer. " * 20)[:room]
    # The record number is written without quotes: the mark becomes digits, after a 1 so that it does not begin with 0.
    return _json(fields).replace(b'"EventRecordID": "1', b'"EventRecordID": 1').replace(b'#R"', b"")


def _json(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields).encode()


def _common(chance: Random, channel: str, event_id: int, number: int) -> dict[str, Any]:
    sysmon = channel == SYSMON
    return {
        "EventTime": f"{SPACED.decode()}",
        "Hostname": f"WS-{chance.randrange(HOSTS):04}.city.example",
        "Keywords": "0x8000000000000000" if sysmon else "0x8020000000000000",
        "EventID": event_id,
        "SourceName": "Microsoft-Windows-Sysmon" if sysmon else "Microsoft-Windows-Security-Auditing",
        "Version": 5,
        "Task": event_id,
        "EventRecordID": f"1{NUMBER.decode()}{number:04}#R",
        "ExecutionProcessID": chance.randrange(1000, 9000),
        "ExecutionThreadID": chance.randrange(1000, 9000),
        "Channel": channel,
    }


def _sysmon(chance: Random, event_id: int, number: int) -> dict[str, Any]:
    return {
        **_common(chance, SYSMON, event_id, number),
        "RuleName": "-",
        "UtcTime": f"{SPACED.decode()}.{chance.randrange(1000):03}",
        "ProcessGuid": _guid(chance, number),
        "ProcessId": chance.randrange(1000, 20_000),
        "Image": chance.choice(PROGRAMS)[0],
        "User": chance.choice(USERS),
    }


def _guid(chance: Random, number: int) -> str:
    return "{" + f"{chance.randrange(1 << 32):08x}-{number:04}-6601-0000-00{NUMBER.decode()}" + "}"


def _process(chance: Random, number: int) -> dict[str, Any]:
    image, command, parent = chance.choice(PROGRAMS) if chance.random() >= SUSPICIOUS else WHOAMI
    digest = "".join(chance.choices("0123456789ABCDEF", k=64))
    return _sysmon(chance, 1, number) | {
        "Image": image,
        "FileVersion": "10.0.19041.546",
        "OriginalFileName": image.rpartition("\\")[2],
        "CommandLine": f"{command} /job:{uid(number).decode()}" if chance.random() < 0.25 else command,
        "CurrentDirectory": "C:\\Windows\\system32\\",
        "LogonGuid": _guid(chance, number),
        "IntegrityLevel": chance.choice(("Medium", "High", "System")),
        "Hashes": f"SHA256={digest},IMPHASH={digest[:32]}",
        "ParentProcessGuid": _guid(chance, number),
        "ParentProcessId": chance.randrange(500, 9000),
        "ParentImage": parent,
        "ParentCommandLine": parent,
    }


def _network(chance: Random, number: int) -> dict[str, Any]:
    return _sysmon(chance, 3, number) | {
        "Image": chance.choice(TALKERS),
        "Protocol": "tcp",
        "Initiated": "true",
        "SourceIsIpv6": "false",
        "SourceIp": f"10.20.{chance.randrange(256)}.{chance.randrange(1, 255)}",
        "SourceHostname": "-",
        "SourcePort": chance.randrange(49_152, 65_535),
        "DestinationIp": f"10.30.{chance.randrange(4)}.{chance.randrange(1, 255)}",
        "DestinationHostname": chance.choice(DOMAINS),
        "DestinationPort": chance.choice((443, 80, 8443, 53)),
        "DestinationPortName": "https",
    }


def _file(chance: Random, number: int) -> dict[str, Any]:
    name = f"D:\\data\\{chance.choice(('import', 'export', 'spool'))}\\{uid(number).decode()}.dat"
    return _sysmon(chance, 11, number) | {"TargetFilename": name, "CreationUtcTime": f"{SPACED.decode()}.000"}


def _registry(chance: Random, number: int) -> dict[str, Any]:
    return _sysmon(chance, 13, number) | {
        "EventType": "SetValue",
        "TargetObject": f"HKU\\S-1-5-21-17\\Software\\City\\Agent\\State\\Slot{chance.randrange(500)}",
        "Details": f"DWORD (0x0000{chance.randrange(65_536):04x})",
    }


def _dns(chance: Random, number: int) -> dict[str, Any]:
    return _sysmon(chance, 22, number) | {
        "QueryName": chance.choice(DOMAINS),
        "QueryStatus": "0",
        "QueryResults": f"::ffff:10.30.0.{chance.randrange(1, 255)};",
    }


def _logon(chance: Random, number: int) -> dict[str, Any]:
    domain, _, user = chance.choice(USERS).partition("\\")
    return _common(chance, "Security", 4624, number) | {
        "SubjectUserSid": "S-1-5-18",
        "SubjectUserName": "WS$",
        "TargetUserSid": f"S-1-5-21-17-{chance.randrange(1000, 9999)}",
        "TargetUserName": user,
        "TargetDomainName": domain,
        "TargetLogonId": f"0x{chance.randrange(1 << 32):x}",
        "LogonType": chance.choice((3, 3, 3, 5, 2)),
        "LogonProcessName": "Kerberos",
        "AuthenticationPackageName": "Kerberos",
        "LogonGuid": _guid(chance, number),
        "IpAddress": f"10.20.{chance.randrange(256)}.{chance.randrange(1, 255)}",
        "IpPort": str(chance.randrange(49_152, 65_535)),
        "EventReceivedTime": f"{ISO.decode()}Z",
    }


def _logoff(chance: Random, number: int) -> dict[str, Any]:
    domain, _, user = chance.choice(USERS).partition("\\")
    return _common(chance, "Security", 4634, number) | {
        "TargetUserSid": f"S-1-5-21-17-{chance.randrange(1000, 9999)}",
        "TargetUserName": user,
        "TargetDomainName": domain,
        "TargetLogonId": f"0x{chance.randrange(1 << 32):x}",
        "LogonType": 3,
    }
