"""The drill's substitution: a closed list of names, typed values, and nothing an input could smuggle in."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc_center.drill.placeholder import Values, fill
from soc_model.problem import Problem

AT_US = 1_790_000_000_123_456
WORDS = {"staff": [{"host": "pc-1", "ip": "10.8.3.1"}, {"host": "pc-2", "ip": "10.8.3.2"}], "names": ["a", "b"]}


def values(own: str = "1", seed: int = 1) -> Values:
    return Values(at_us=AT_US, seed=seed, random=Random(own), words=WORDS, place="here")


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("{{time.utc}}", "2026-09-21T14:13:20.123456Z"),
        ("{{time.utc_ms}}", "2026-09-21T14:13:20.123Z"),
        ("at {{time.local}}", "at 2026-09-21T22:13:20.123456+08:00"),
        ("{{time.local_s}}", "2026-09-21T22:13:20+08:00"),
        ("{{time.sysmon}}", "2026-09-21 14:13:20.123"),
        ("{{time.epoch}}", 1_790_000_000.123456),
        ({"a": ["{{number:7-7}}", 1, None]}, {"a": [7, 1, None]}),
        ("n={{number:7-7}}", "n=7"),
        ("{ {time.utc} }", "{ {time.utc} }"),
    ],
)
def test_values(template: Any, filled: Any) -> None:
    assert fill(template, values()) == filled


@pytest.mark.parametrize("name", ["pid", "port", "guid", "uid", "uuid"])
def test_named_values_stay_and_others_change(name: str) -> None:
    one, other = values("1"), values("2")
    assert fill(f"{{{{{name}:x}}}}", one) == fill(f"{{{{{name}:x}}}}", other)
    assert fill(f"{{{{{name}:x}}}}", one) != fill(f"{{{{{name}:x}}}}", values(seed=2))
    assert fill(f"{{{{{name}}}}}", one) != fill(f"{{{{{name}}}}}", one)


def test_one_record_is_about_one_person() -> None:
    for own in range(20):
        host, ip = fill("{{staff.host}} {{staff.ip}}", values(str(own))).split()
        assert host.removeprefix("pc-") == ip.removeprefix("10.8.3.")


@pytest.mark.parametrize(
    "wrong",
    ["", "time", "time.utc.year", "staff", "staff.mail", "names.x", "number:1", "label:x", "os.getcwd", "__class__"],
)
def test_what_is_not_ours_is_refused_with_its_place(wrong: str) -> None:
    with pytest.raises(Problem, match=r"^here: "):
        fill(f"x {{{{{wrong}}}}}", values())


@given(st.text().filter(lambda text: "{{" not in text))
def test_text_without_placeholders_stays(text: str) -> None:
    assert fill({"a": [text]}, values()) == {"a": [text]}
