"""The outbound driver of a center, as its settings say it, with every call in the audit record and on the log."""

from soc_center.gauge import now_us
from soc_center.life import say
from soc_center.outbound import Call, Outbound
from soc_center.outbound_address import CenterJudge, read_allowed
from soc_center.outbound_proxy import proxy_of
from soc_center.settings import Settings, host_port
from soc_model.audit import Act
from soc_model.person import Actor
from soc_store.interfaces import AuditStore


def open_way_out(settings: Settings, audit: AuditStore, actor: Actor) -> Outbound:
    """The driver; ``actor`` is on whose behalf it calls."""
    judge = CenterJudge(allowed=read_allowed(settings.outbound.allow), own_ports=own_ports(settings))
    proxy = proxy_of(settings.outbound.proxy) if settings.outbound.proxy else None

    def tell(call: Call) -> None:
        say(f"outbound: {call.method} {call.host}:{call.port} ({call.address or 'no address'}) {told(call)}")
        where = {"address": call.address, "status": str(call.status), "bytes": str(call.bytes)}
        audit.record(
            Act.OUTBOUND_CALLED,
            actor,
            f"{call.host}:{call.port}",
            now_us(),
            **where,
            purpose=call.purpose,
            why=call.problem,
        )

    return Outbound(judge, tell, proxy=proxy)


def told(call: Call) -> str:
    """What came of a call, in a few words."""
    return call.problem or f"status {call.status}, {call.bytes} bytes"


def own_ports(settings: Settings) -> frozenset[int]:
    """The ports that the center itself listens on."""
    listening = [settings.listen.console, settings.listen.intake]
    for source in settings.sources:
        listening += [str(source.settings[kind]) for kind in ("udp", "tcp") if source.settings.get(kind)]
    return frozenset(host_port(each)[1] for each in listening)
