"""Failed logons as one guessed server sends them: sshd lines of many addresses and users, all of one host."""

from random import Random

from bench.block import BSD, uid

HOST = "guessed"
USERS = ("root", "admin", "oracle", "postgres", "test", "ubuntu", "deploy", "git", "www", "nagios")


def failed_logon(chance: Random, number: int) -> bytes:
    """One line without its end, with the marks of ``bench.block``; ``number`` is its place in the block."""
    address = f"10.{chance.randrange(256)}.{chance.randrange(256)}.{chance.randrange(1, 255)}"
    user, port, pid = chance.choice(USERS), chance.randrange(10_000, 60_000), chance.randrange(300, 65_000)
    said = f"Failed password for invalid user {user} from {address} port {port} ssh2 session {uid(number).decode()}"
    return f"<86>{BSD.decode()} {HOST} sshd[{pid}]: {said}".encode()
