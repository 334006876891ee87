"""The one way out: what is denied always, what an allow-list opens, and what no server can do to the center."""

import ipaddress
import socket
import ssl
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc_center.outbound import CALLS, Call, Outbound
from soc_center.outbound_address import AllowList, CenterJudge, carried, denied_always, read_allowed
from soc_center.outbound_proxy import Proxy
from soc_model.outbound import Http, OutboundFailed, OutboundRefused
from tests.center.answering import STRICT, certificate, driver, serving

DENIED = [
    *("127.0.0.1", "127.8.9.10", "::1", "0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "ff02::1", "255.255.255.255"),
    *("169.254.169.254", "169.254.170.2", "fe80::1", "fe80::1%2", "fd00:ec2::254", "100.100.100.200"),
    *("168.63.129.16", "192.0.0.192", "240.0.0.1", "fd20:ce::254"),
    *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "2002:7f00:1::", "2002:a9fe:a9fe::1", "64:ff9b::127.0.0.1"),
    *("64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1", "::127.0.0.1", "2001:0:7f00:1::", "2606:4700::5efe:7f00:1"),
]
PRIVATE = ["10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "fd12::1", "198.18.0.1", "::ffff:10.1.2.3"]
EVERYTHING = read_allowed(["0.0.0.0/0", "::/0", "inside.example"])


@pytest.mark.parametrize("address", DENIED)
def test_what_is_denied_is_denied_whatever_the_settings_allow(address: str) -> None:
    judge = CenterJudge(allowed=EVERYTHING, own_ports=frozenset())
    assert judge("inside.example", ipaddress.ip_address(address), 443)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_need_the_allow_list(address: str) -> None:
    found = ipaddress.ip_address(address)
    assert "outbound.allow" in STRICT("a.example", found, 443)
    named = CenterJudge(allowed=read_allowed(["Inside.example."]), own_ports=frozenset())
    assert named("inside.EXAMPLE", found, 443) == ""
    assert named("other.example", found, 443)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1", "64:ff9b::808:808", "2002:808:808::1"])
def test_public_addresses_are_open(address: str) -> None:
    assert CenterJudge(allowed=EVERYTHING, own_ports=frozenset())("a.example", ipaddress.ip_address(address), 443) == ""


def test_a_network_on_the_list_opens_no_more_than_itself() -> None:
    judge = CenterJudge(allowed=read_allowed(["10.1.0.0/16"]), own_ports=frozenset())
    assert judge("a.example", ipaddress.ip_address("10.1.2.3"), 443) == ""
    assert judge("a.example", ipaddress.ip_address("10.2.2.3"), 443)


@given(st.ip_addresses(v=4))
def test_every_wrapping_of_a_denied_address_is_denied(inner: ipaddress.IPv4Address) -> None:
    wrapped = [f"::ffff:{inner}", f"64:ff9b::{inner}", str(ipaddress.IPv6Address((0x2002 << 112) | int(inner) << 80))]
    for each in wrapped:
        assert inner in list(carried(ipaddress.ip_address(each)))
        if denied_always(inner):
            assert STRICT("a.example", ipaddress.ip_address(each), 443)


def test_the_centers_own_ports_are_denied_on_this_machine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = CenterJudge(allowed=EVERYTHING, own_ports=frozenset({8741}))
    monkeypatch.setattr("soc_center.outbound_address.is_this_machine", lambda each: str(each) == "10.0.0.5")
    assert "own" in judge("a.example", ipaddress.ip_address("10.0.0.5"), 8741)
    assert judge("a.example", ipaddress.ip_address("10.0.0.5"), 443) == ""
    assert judge("a.example", ipaddress.ip_address("10.0.0.6"), 8741) == ""


@pytest.mark.parametrize("entry", ["10.0.0.1/8", "a b", "", "10.0.0", "http://x"])
def test_an_allow_list_is_read_strictly(entry: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_allowed([entry])
    assert read_allowed([]) == AllowList(networks=(), hosts=frozenset())


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://a.example/", "file:///etc/passwd", "gopher://a.example/", "//a.example/x", "https://", "a.example/x"),
        *(
            "https://user:pw@a.example/",
            "https://a.example:99999/",
            "https://a.example/\r\nX: y",
            "https://a.example/ x",
        ),
        *("https://[::1/", "https://例.example/", "https://a.example:0/"),
    ],
)
def test_what_is_no_plain_url_is_refused(url: str) -> None:
    with pytest.raises(OutboundRefused):
        driver().perform(Http(url=url, purpose="test"))


def test_an_answer_comes_back_and_the_call_is_told() -> None:
    calls: list[Call] = []
    with serving() as server:
        answer = driver(server.port, calls=calls).perform(
            Http(url=f"http://rules.example:{server.port}/a?b=c", purpose="rules", headers={"Host": "evil", "X-A": "1"})
        )
    assert (answer.status, answer.body, answer.address) == (200, b"hello", "127.0.0.1")
    assert server.asked[0].startswith(b"GET /a?b=c HTTP/1.1\r\n")
    assert f"Host: rules.example:{server.port}\r\n".encode() in server.asked[0]
    assert b"evil" not in server.asked[0] and b"X-A: 1" in server.asked[0]
    assert calls == [Call("rules", "GET", "rules.example", server.port, "127.0.0.1", 200, 0, 5, "")]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_no_spelling_of_loopback_gets_through_the_real_judge(host: str) -> None:
    calls: list[Call] = []
    with serving() as server, pytest.raises((OutboundRefused, OutboundFailed)):
        Outbound(STRICT, calls.append).perform(Http(url=f"http://{host}:{server.port}/", purpose="test"))
    assert server.asked == []
    assert calls[0].status == 0 and calls[0].problem


def test_a_name_that_changes_its_mind_is_asked_once() -> None:
    answers = iter([["192.0.2.7"], ["127.0.0.1"]])
    with serving() as server, pytest.raises((OutboundRefused, OutboundFailed)):
        allowed = CenterJudge(allowed=read_allowed(["192.0.2.0/24"]), own_ports=frozenset())
        outbound = Outbound(allowed, lambda _: None, resolver=lambda host, port: next(answers))
        outbound.perform(Http(url=f"http://rebind.example:{server.port}/", purpose="test", call_s=0.3))
    assert server.asked == []
    assert next(answers) == ["127.0.0.1"], "the second answer was never asked for"


def test_one_denied_address_among_good_ones_refuses_the_name() -> None:
    outbound = Outbound(STRICT, lambda _: None, resolver=lambda host, port: ["8.8.8.8", "169.254.169.254"])
    with pytest.raises(OutboundRefused, match="link-local"):
        outbound.perform(Http(url="http://mixed.example/", purpose="test"))


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with serving() as inside:
        head = f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{inside.port}/\r\nContent-Length: 0\r\n\r\n"
        with serving(head.encode()) as server:
            url = f"http://a.example:{server.port}/"
            answer = driver(server.port, inside.port).perform(Http(url=url, purpose="test"))
    assert answer.status == 302
    assert inside.asked == []


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000,
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1388\r\n" + b"x" * 5000 + b"\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-Many: x\r\n" * 500 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\ncut off",
        b"not http at all",
        b"",
    ],
)
def test_what_is_too_large_or_broken_is_no_answer(answer: bytes) -> None:
    with serving(answer) as server, pytest.raises(OutboundFailed):
        url = f"http://a.example:{server.port}/"
        driver(server.port).perform(Http(url=url, purpose="test", answer_bytes=1000, call_s=5))


def test_a_server_that_drips_does_not_hold_the_call() -> None:
    def drip(line: socket.socket) -> None:
        while True:
            line.sendall(b"H")
            time.sleep(0.02)

    with serving(speak=drip) as server, pytest.raises(OutboundFailed, match=r"too long|timed out"):
        driver(server.port).perform(Http(url=f"http://a.example:{server.port}/", purpose="test", call_s=0.2))


def test_calls_to_one_host_are_counted() -> None:
    now, calls = [0.0], list[Call]()
    outbound = driver(calls=calls, monotonic=lambda: now[0], resolver=lambda host, port: ["10.0.0.1"])
    for _ in range(CALLS):
        with pytest.raises(OutboundRefused, match="allow"):
            outbound.perform(Http(url="http://a.example/", purpose="test"))
    with pytest.raises(OutboundRefused, match="a minute"):
        outbound.perform(Http(url="http://a.example/", purpose="test"))
    now[0] = 61.0
    with pytest.raises(OutboundRefused, match="allow"):
        outbound.perform(Http(url="http://a.example/", purpose="test"))
    assert len(calls) == CALLS + 2


def trusting(folder: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(folder / "cert.pem"))


def test_tls_keeps_the_name_while_the_connection_goes_to_the_address(tmp_path: Path) -> None:
    names: list[str | None] = []
    with serving() as server:
        server.tls = certificate(tmp_path, "rules.example")
        server.tls.sni_callback = lambda line, name, context: names.append(name)
        url = f"https://rules.example:{server.port}/"
        assert driver(server.port, trust=trusting(tmp_path)).perform(Http(url=url, purpose="test")).body == b"hello"
    assert names == ["rules.example"]


@pytest.mark.parametrize(("host", "trusted"), [("other.example", True), ("rules.example", False)])
def test_a_server_that_cannot_prove_its_name_is_not_believed(tmp_path: Path, host: str, trusted: bool) -> None:
    with serving() as server:
        server.tls = certificate(tmp_path, "rules.example")
        trust = trusting(tmp_path) if trusted else None
        with pytest.raises(OutboundFailed, match="TLS"):
            driver(server.port, trust=trust).perform(Http(url=f"https://{host}:{server.port}/", purpose="test"))
    assert server.asked == []


def test_a_proxy_is_told_the_judged_address_and_never_the_name() -> None:
    tunnel = b"HTTP/1.1 200 Connection established\r\n\r\n"

    def relay(line: socket.socket) -> None:
        line.sendall(tunnel)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += line.recv(1)
        proxy.asked.append(head)
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with serving(speak=relay) as proxy:
        outbound = driver(
            proxy.port,
            proxy=Proxy(host="proxy.example", port=proxy.port),
            resolver=lambda host, port: ["127.0.0.1"] if host == "proxy.example" else ["93.184.216.34"],
        )
        answer = outbound.perform(Http(url="http://rules.example/x", purpose="test"))
    assert answer.body == b"ok" and answer.address == "93.184.216.34"
    assert proxy.asked[0].startswith(b"CONNECT 93.184.216.34:80 HTTP/1.1\r\n")
    assert b"Host: rules.example\r\n" in proxy.asked[1]


@pytest.mark.parametrize("answer", [b"HTTP/1.1 403 Forbidden\r\n\r\n", b"x" * 20_000, b""])
def test_a_proxy_that_will_not_is_told_of(answer: bytes) -> None:
    with serving(answer) as proxy:
        outbound = driver(
            proxy.port,
            proxy=Proxy(host="proxy.example", port=proxy.port),
            resolver=lambda host, port: ["127.0.0.1"] if host == "proxy.example" else ["93.184.216.34"],
        )
        with pytest.raises(OutboundFailed, match="proxy"):
            outbound.perform(Http(url="http://rules.example/x", purpose="test", call_s=5))
