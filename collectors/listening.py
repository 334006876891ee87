"""A place to listen at, ``host:port``, and the socket that is bound there."""

import socket


def place_of(listen: str) -> tuple[str, int]:
    """Host and port of ``host:port`` (``[::1]:port`` for IPv6); raises ValueError."""
    host, _, port = listen.rpartition(":")
    number = int(port)
    if not host or not 0 <= number <= 65535:
        raise ValueError(listen)
    return host.strip("[]"), number


def bound_socket(listen: str, kind: socket.SocketKind) -> socket.socket:
    """A non-blocking socket bound to ``host:port``; ``[::]`` takes IPv4 too. Raises OSError or ValueError."""
    host, port = place_of(listen)
    family, _, _, _, address = socket.getaddrinfo(host, port, type=kind, flags=socket.AI_PASSIVE)[0]
    bound = socket.socket(family, kind)
    try:
        if kind is socket.SOCK_STREAM:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != "::"))
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    bound.setblocking(False)
    return bound
