"""Which requests are known as answered, and for how long."""

from collectors import answered
from collectors.answered import KEPT_S, Answered


def test_a_request_is_known_for_a_while():
    known = Answered()
    known.add(b"a", 100.0)
    assert known.holds(b"a", 100.0) and known.holds(b"a", 99.9 + KEPT_S)
    assert not known.holds(b"a", 100.0 + KEPT_S) and not known.holds(b"b", 100.0)


def test_the_oldest_go_first(monkeypatch):
    monkeypatch.setattr(answered, "KEPT", 2)
    known = Answered()
    for second, digest in enumerate([b"a", b"b", b"c"]):
        known.add(digest, float(second))
    assert [known.holds(digest, 3.0) for digest in (b"a", b"b", b"c")] == [False, True, True]
