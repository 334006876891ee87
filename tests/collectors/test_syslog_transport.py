"""Syslog from real sockets on loopback: whose it is, what is refused, torn or dropped, and what is still handed in."""

import asyncio
import socket
from contextlib import asynccontextmanager, suppress

import pytest

from collectors import intake as waiting
from collectors import syslog_tcp, syslog_udp
from collectors.transports import syslog
from tests.collectors import watching
from tests.collectors.watching import until
from tests.running import free_port


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr(syslog, "RETRY_S", 0.05)
    monkeypatch.setattr(waiting, "FULL_S", 0.01)
    monkeypatch.setattr(syslog_tcp, "FLUSH_S", 0.1)
    monkeypatch.setattr(syslog_udp, "LOOK_S", 0.05)


@pytest.fixture
def place():
    return f"127.0.0.1:{free_port()}"


@pytest.fixture
def listens(source):
    """A function that makes a syslog source."""

    def make(id="s1", senders=("127.0.0.1",), **settings):
        return source(id=id, transport="syslog", format="syslog", settings={**settings, "from": list(senders)})

    return make


@asynccontextmanager
async def running(intake):
    async with watching.running(syslog, intake) as task:
        await asyncio.sleep(0.05)
        yield task


def address(place):
    host, _, port = place.rpartition(":")
    return host, int(port)


def send_udp(place, *datagrams, sender="127.0.0.1"):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.bind((sender, 0))
        for datagram in datagrams:
            out.sendto(datagram, address(place))


async def connected(place, sender="127.0.0.1"):
    return await asyncio.open_connection(*address(place), local_addr=(sender, 0))


async def closed(writer):
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


def test_each_datagram_is_a_record(listens, memory_intake, place):
    async def play():
        intake = memory_intake(listens(udp=place))
        async with running(intake):
            send_udp(place, b"<13>one\n", b"<13>two\nlines\0", b"\n", b"")
            await until(lambda: len(intake.records) == 2)
        return intake

    intake = asyncio.run(play())
    assert intake.records == [b"<13>one", b"<13>two\nlines"]
    assert intake.counters == {("s1", "records"): 2}
    assert intake.chunks[0].context["codec"] == "utf-8"


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_sources_share_a_port_and_strangers_are_refused(listens, memory_intake, place, protocol):
    async def play():
        near = listens("near", ["127.0.0.2"], **{protocol: place})
        wide = listens("wide", ["127.0.0.0/30"], **{protocol: place})
        intake = memory_intake(wide, near)
        async with running(intake):
            for sender in ("127.0.0.1", "127.0.0.2", "127.0.0.9"):
                if protocol == "udp":
                    send_udp(place, sender.encode(), sender=sender)
                    continue
                _, writer = await connected(place, sender)
                writer.write(sender.encode() + b"\n")
                await closed(writer)
            await until(lambda: len(intake.records) == 2 and intake.counters["wide", "refused"])
        return intake

    intake = asyncio.run(play())
    assert {chunk.source_id: chunk.records for chunk in intake.chunks} == {
        "wide": [b"127.0.0.1"],
        "near": [b"127.0.0.2"],
    }
    assert intake.counters == {("wide", "records"): 1, ("near", "records"): 1, ("wide", "refused"): 1}


def test_connections_of_both_framings_at_once(listens, memory_intake, place):
    async def play():
        intake = memory_intake(listens(tcp=place))
        async with running(intake):
            _, lines = await connected(place)
            _, octets = await connected(place)
            lines.write(b"<13>line 1\n<13>li")
            octets.write(b"9 <13>oct 19 <13>o")
            await asyncio.sleep(0.02)
            lines.write(b"ne 2\n")
            octets.write(b"ct 2")
            await until(lambda: len(intake.records) == 4)
            await closed(lines)
            await closed(octets)
        return intake

    intake = asyncio.run(play())
    assert sorted(intake.records) == [b"<13>line 1", b"<13>line 2", b"<13>oct 1", b"<13>oct 2"]
    assert intake.counters["s1", "torn"] == 0


@pytest.mark.parametrize("leaves", [True, False])
def test_an_unfinished_record_is_flushed_and_counted(listens, memory_intake, place, leaves):
    async def play():
        intake = memory_intake(listens(tcp=place))
        async with running(intake):
            _, writer = await connected(place)
            writer.write(b"<13>no end")
            if leaves:
                await closed(writer)
            await until(lambda: intake.records)
            await closed(writer)
        return intake

    intake = asyncio.run(play())
    assert intake.records == [b"<13>no end"]
    assert intake.counters == {("s1", "records"): 1, ("s1", "torn"): 1}


def test_nothing_is_read_while_the_journal_is_full(listens, memory_intake, place):
    async def play():
        intake = memory_intake(listens(tcp=place))
        intake.full = 1 << 30
        sent = 0
        async with running(intake):
            _, writer = await connected(place)
            with suppress(TimeoutError):
                async with asyncio.timeout(3):
                    while sent < 64 << 20:
                        writer.write(b"<13>" + b"x" * 60_000 + b"\n")
                        sent += 1
                        await writer.drain()
            assert sent * 60_005 < 32 << 20
            intake.full = 0
            await until(lambda: len(intake.records) >= sent - 2, 30)
            await closed(writer)
        return sent, intake

    sent, intake = asyncio.run(play())
    assert len(intake.records) == sent


def test_connections_are_bounded(listens, memory_intake, place, monkeypatch):
    monkeypatch.setattr(syslog_tcp, "CONNECTIONS", 2)

    async def play():
        intake = memory_intake(listens(tcp=place))
        async with running(intake):
            kept = [await connected(place) for _ in range(2)]
            await asyncio.sleep(0.05)
            reader, writer = await connected(place)
            with suppress(ConnectionError):
                assert await reader.read() == b""
            for each in (writer, *(writer for _, writer in kept)):
                await closed(each)
        return intake

    assert asyncio.run(play()).counters == {("s1", "refused"): 1}


@pytest.mark.parametrize("head", [b"", b"200000 "])
def test_all_that_waits_for_its_end_is_bounded(listens, memory_intake, place, monkeypatch, head):
    monkeypatch.setattr(syslog_tcp, "FLUSH_S", 60)
    monkeypatch.setattr(syslog_tcp, "HELD_BYTES", 100_000)
    message = b"<13>" + b"x" * 199_996

    async def play():
        intake = memory_intake(listens(tcp=place))
        async with running(intake):
            _, writer = await connected(place)
            writer.write(head + message[:150_000])
            await until(lambda: intake.counters["s1", "torn"])
            writer.write(message[150_000:] + b"\n")
            await until(lambda: sum(map(len, intake.records)) == 200_000)
            await closed(writer)
        return intake

    assert b"".join(asyncio.run(play()).records) == message


def test_an_idle_connection_is_closed(listens, memory_intake, place, monkeypatch):
    monkeypatch.setattr(syslog_tcp, "IDLE_S", 0.1)

    async def play():
        async with running(memory_intake(listens(tcp=place))):
            reader, writer = await connected(place)
            async with asyncio.timeout(5):
                assert await reader.read() == b""
            await closed(writer)

    asyncio.run(play())


def test_what_was_received_before_the_end_is_handed_in(listens, memory_intake, place):
    async def play():
        other = f"127.0.0.1:{free_port()}"
        intake = memory_intake(listens(tcp=place, udp=other))
        async with running(intake):
            _, writer = await connected(place)
            writer.write(b"<13>tcp\n")
            await until(lambda: intake.records)
            intake.full = 3
            writer.write(b"<13>more\n")
            await asyncio.sleep(0.02)
            send_udp(other, b"<13>udp")
        await closed(writer)
        return intake

    assert sorted(asyncio.run(play()).records) == [b"<13>more", b"<13>tcp", b"<13>udp"]


def test_a_port_in_use_stops_no_other_and_is_taken_once_free(listens, memory_intake, place, caplog):
    async def play():
        taken = socket.create_server(("127.0.0.1", 0))
        second = f"127.0.0.1:{taken.getsockname()[1]}"
        intake = memory_intake(listens("a", tcp=place), listens("b", tcp=second))
        async with running(intake):
            _, writer = await connected(place)
            writer.write(b"<13>a\n")
            await until(lambda: intake.counters["a", "records"])
            await closed(writer)
            taken.close()
            await asyncio.sleep(0.2)
            _, writer = await connected(second)
            writer.write(b"<13>b\n")
            await until(lambda: intake.counters["b", "records"])
            await closed(writer)

    asyncio.run(play())
    assert caplog.text.count("cannot listen at tcp") == 1


TABLE = """\
   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  463: 0100007F:0202 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 77 2 0000000000000000 12
  464: 0100007F:0203 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 78 2 0000000000000000 0
"""


@pytest.mark.parametrize(("inode", "drops"), [(77, 12), (78, 0), (79, 0)])
def test_the_kernel_tells_what_it_dropped(tmp_path, inode, drops):
    table = tmp_path / "udp"
    table.write_text(TABLE)
    assert syslog_udp.dropped_by_kernel(inode, [tmp_path / "none", table]) == drops


def test_what_the_kernel_dropped_is_counted_once_with_whom_sent_most(listens, memory_intake, place, monkeypatch):
    drops = iter([5, 5, 7])
    monkeypatch.setattr(syslog_udp, "dropped_by_kernel", lambda inode: next(drops, 7))

    async def play():
        intake = memory_intake(listens("quiet", udp=place), listens("loud", ["127.0.0.2"], udp=place))
        async with running(intake):
            send_udp(place, *[b"<13>x"] * 9, sender="127.0.0.2")
            await until(lambda: intake.counters["loud", "records"])
            await asyncio.sleep(0.3)
        return intake

    counters = asyncio.run(play()).counters
    assert counters["loud", "dropped"] + counters["quiet", "dropped"] == 7
    assert counters["loud", "dropped"] >= 5


def test_the_receive_buffer_is_raised():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        before = door.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        syslog_udp.enlarge(door)
        assert door.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) > before
