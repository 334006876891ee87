"""Syslog from the network, by UDP (RFC 5426) and TCP (RFC 6587: octet counting or lines, told by the connection).

Settings: ``udp`` and ``tcp`` (``host:port``, one of them or both) and ``from``, the addresses and CIDRs whose messages
are this source's. Sources may share a port; the most exact network wins, and senders that are nobody's are counted as
``refused`` with the first source of the port. Plain syslog has no acknowledgement: across a crash of collect it is at
most once.
"""

import asyncio
import logging
from collections import defaultdict

from collectors.intake import Intake
from collectors.syslog_tcp import TcpDoor
from collectors.syslog_udp import UdpDoor
from soc_model.source import Source

RETRY_S = 5.0
LOG = logging.getLogger(__name__)


async def run(intake: Intake, listen: str = "") -> None:
    """Listen at all ports of all sources until cancelled; ``listen`` is the intake's own and not used here."""
    doors: list[UdpDoor | TcpDoor] = [
        *(UdpDoor(intake, place, sources) for place, sources in _by_place(intake, "udp").items()),
        *(TcpDoor(intake, place, sources) for place, sources in _by_place(intake, "tcp").items()),
    ]
    async with asyncio.TaskGroup() as group:
        for door in doors:
            group.create_task(_kept_open(door))


def _by_place(intake: Intake, protocol: str) -> dict[str, list[Source]]:
    places: dict[str, list[Source]] = defaultdict(list)
    for source in intake.sources:
        if place := str(source.settings.get(protocol) or ""):
            places[place].append(source)
    return places


async def _kept_open(door: UdpDoor | TcpDoor) -> None:
    """Run one door; a port that is not to be had stops no other one, and is tried again."""
    told = ""
    while True:
        try:
            await door.run()
        except (OSError, ValueError) as error:
            if str(error) != told:
                told = str(error)
                LOG.warning("syslog: cannot listen at %s: %s; trying again", door.listen, error)
        await asyncio.sleep(RETRY_S)
