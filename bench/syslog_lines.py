"""Syslog lines of 150-300 bytes as a city's servers send them: RFC 3164 and RFC 5424, ten programs, 200 hosts."""

from random import Random

from bench.block import BSD, ISO, uid

HOSTS = 200
SHORTEST, LONGEST = 150, 300
#: Facility, severity, program, message; drawn with the weight in front. Names in braces are drawn for each line.
PROGRAMS = (
    (
        14,
        (10, 6, "sshd", "Accepted publickey for {user} from {ip} port {port} ssh2: RSA SHA256:{key} session {id}"),
    ),
    (6, (10, 5, "sshd", "Failed password for {user} from {ip} port {port} ssh2 after {small} attempts, session {id}")),
    (
        10,
        (
            10,
            6,
            "sshd",
            "Connection closed by authenticating user {user} {ip} port {port} [preauth] session {id} {key}",
        ),
    ),
    (
        6,
        (
            10,
            5,
            "sudo",
            "{user} : TTY=pts/{small} ; PWD=/srv/{app} ; USER=root ; COMMAND=/usr/bin/systemctl status "
            "{app}-{id}.service --no-pager --lines={port}",
        ),
    ),
    (
        10,
        (
            9,
            6,
            "CRON",
            "(root) CMD (/usr/lib/{app}/collect --site {site} --interval {small} --spool "
            "/var/spool/{app}/{id} >/dev/null 2>&1)",
        ),
    ),
    (
        20,
        (
            16,
            6,
            "nginx",
            '{ip} - {user} "GET /api/v1/{app}/items/{port}?trace={id} HTTP/1.1" 200 {port} '
            '"https://{site}/portal/" "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/128.0" {small}',
        ),
    ),
    (
        14,
        (
            0,
            4,
            "kernel",
            "[{port}.{small}8213] IPT-DROP IN=eth0 OUT= MAC=52:54:00:{small}:7e:1c SRC={ip} DST=10.20.{small}.7 "
            "LEN=60 TOS=0x00 TTL=52 ID={port} DF PROTO=TCP SPT={port} DPT=445 WINDOW=29200 SYN mark {id}",
        ),
    ),
    (
        8,
        (
            3,
            6,
            "systemd",
            "Started session {id} of user {user} on seat {small}: unit session-{port}.scope, slice "
            "user-{port}.slice, control group /user.slice/{app}",
        ),
    ),
    (
        6,
        (
            2,
            6,
            "postfix/smtp",
            "{id}: to=<{user}@{site}>, relay=mx{small}.{site}[{ip}]:25, delay=1.{small}, "
            "dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as {key})",
        ),
    ),
    (
        6,
        (
            17,
            6,
            "meter-gateway",
            "request={id} device={site}/{app}/{port} reading={port}.{small} unit=kWh quality=good "
            "latency_ms={small} peer={ip} result=stored checksum={key}",
        ),
    ),
)
USERS = ("deploy", "zhang.wei", "li.na", "backup", "wang.fang", "ops", "gitlab-runner", "monitor", "chen.jie", "root")
APPS = ("traffic", "water", "heating", "portal", "parking", "lighting", "registry", "gis", "dispatch", "archive")
SITES = ("dongcheng.example", "xicheng.example", "haidian.example", "chaoyang.example", "data.city.example")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def syslog_line(chance: Random, number: int) -> bytes:
    """One line without its end, with the marks of ``bench.block``; ``number`` is its place in the block."""
    weights = [weight for weight, _ in PROGRAMS]
    facility, severity, program, text = chance.choices([what for _, what in PROGRAMS], weights)[0]
    values = {
        "user": chance.choice(USERS),
        "app": chance.choice(APPS),
        "site": chance.choice(SITES),
        "ip": f"10.{chance.randrange(256)}.{chance.randrange(256)}.{chance.randrange(1, 255)}",
        "port": str(chance.randrange(10_000, 60_000)),
        "small": str(chance.randrange(10, 100)),
        "key": "".join(chance.choices(LETTERS, k=43)),
        "id": uid(number).decode(),
    }
    message = text.format_map(values)
    host, pid = f"srv-{chance.randrange(HOSTS):03}.{values['site']}", chance.randrange(300, 65_000)
    line = _rfc5424 if chance.random() < 0.5 else _rfc3164
    whole = line(facility * 8 + severity, host, program, pid, message)
    return (whole + " trace " + "".join(chance.choices(LETTERS, k=SHORTEST)))[: max(len(whole), SHORTEST)].encode()


def _rfc5424(pri: int, host: str, program: str, pid: int, message: str) -> str:
    return f"<{pri}>1 {ISO.decode()}.{pid % 1000:03}Z {host} {program} {pid} - - {message}"


def _rfc3164(pri: int, host: str, program: str, pid: int, message: str) -> str:
    tag = program if program == "kernel" else f"{program}[{pid}]"
    return f"<{pri}>{BSD.decode()} {host.partition('.')[0]} {tag}: {message}"
