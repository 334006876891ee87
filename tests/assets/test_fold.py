"""Sightings folded into assets: order and slices do not matter, realms and units never mix, people's columns stay."""

import random
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk_assessment.fold import fold, spoken_of
from soc_model.asset import KEPT, AssetKind, AssetState, Described, Known, LinkKey
from soc_model.layer import Layer, Realm
from soc_model.sighting import EntityKind, Relation, Sighting
from tests.assets.seeing import after, folded, linked, room, sighting

HOSTS = ["web-01", "WEB-01.city.example", "web-01.", "db", "10.0.0.5", "localhost", "h\ud800", "<script>"]
USERS = ["root", "CITY\\Wang", "city\\wang"]
ADDRESSES = ["10.0.0.5", "8.8.8.8", "127.0.0.1", "not an address", "fe80::1", "FD00::1", "::ffff:10.0.0.5"]
SERVICES = ["10.0.0.5:443", "8.8.8.8:53", "[fd00::1]:22", "127.0.0.1:80"]
TIMES = st.integers(0, 1000)


@st.composite
def sightings(draw: st.DrawFn) -> Sighting:
    first = draw(TIMES)
    more = {
        "unit": draw(st.sampled_from(["u1", "u2"])),
        "realm": draw(st.sampled_from([Realm.LIVE, Realm.DRILL])),
        "layer": draw(st.sampled_from([Layer.HOST, Layer.NETWORK])),
        "source_id": draw(st.sampled_from(["s1", "s2"])),
        "first": first,
        "last": first + draw(TIMES),
        "count": draw(st.integers(1, 9)),
    }
    shape = draw(st.sampled_from(["host", "seen_on", "connected", "is", "domain"]))
    host, address = draw(st.sampled_from(HOSTS)), draw(st.sampled_from(ADDRESSES))
    if shape == "seen_on":
        return linked("user", draw(st.sampled_from(USERS)), shape, "host", host, **more)
    if shape == "connected":
        return linked("address", address, shape, "service", draw(st.sampled_from(SERVICES)), **more)
    if shape == "is":
        return linked("address", address, shape, "host", host, **more)
    return sighting(shape, host, **more)


@given(st.lists(sightings(), max_size=30), st.randoms(use_true_random=False), st.lists(st.integers(0, 30), max_size=5))
def test_order_and_slices_do_not_matter(found: list[Sighting], shuffled: random.Random, cuts: list[int]) -> None:
    other = shuffled.sample(found, len(found))
    edges = [0, *sorted(cuts), len(other)]
    slices = [other[begin:end] for begin, end in pairwise(edges)]
    assert folded(*slices) == folded(found)


@given(st.lists(sightings(), min_size=1, max_size=30))
def test_what_is_spoken_of_is_all_that_changes(found: list[Sighting]) -> None:
    changes = fold(found, Known({}, {}), room())
    ids, links = spoken_of(found)
    assert (set(changes.assets), set(changes.links)) == (ids, links)
    assert sum(changes.made.values()) == len(ids) + len(links)


@given(st.lists(sightings(), max_size=30))
def test_a_link_never_leaves_its_unit_and_realm(found: list[Sighting]) -> None:
    known = folded(found)
    for link in known.links.values():
        one, other = known.assets[link.from_id], known.assets[link.to_id]
        assert (one.unit, one.realm) == (other.unit, other.realm)


def only(known: Known, kind: str = "host"):
    (asset,) = [one for one in known.assets.values() if one.kind == kind]
    return asset


def test_short_and_full_name_are_one_host_called_by_the_name_seen_last() -> None:
    host = only(folded([sighting(last=50, count=2), sighting(value="WEB-01.city.example", last=90, layer=Layer.DATA)]))
    assert (host.name, host.count, host.layers) == ("WEB-01.city.example", 3, (Layer.DATA, Layer.HOST))
    assert host.names == {"WEB-01.city.example": 90, "web-01": 50}
    assert (host.first_seen, host.last_seen, host.sources) == (10, 90, {"s1": 90})


@pytest.mark.parametrize("change", [{"unit": "u2"}, {"realm": Realm.DRILL}])
def test_another_unit_or_realm_is_another_asset(change: dict[str, object]) -> None:
    assert len(folded([sighting(), sighting(**change)]).assets) == 2


@pytest.mark.parametrize(
    ("kind", "value", "becomes"),
    [
        ("host", "10.0.0.5", AssetKind.ADDRESS),
        ("host", "localhost.localdomain", None),
        ("host", "...", None),
        ("address", "::ffff:10.0.0.5", AssetKind.ADDRESS),
        ("address", "100.64.0.1", AssetKind.ADDRESS),
        ("address", "8.8.8.8", AssetKind.EXTERNAL),
        ("address", "127.0.0.1", None),
        ("address", "fe80::1%eth0", None),
        ("address", "224.0.0.1", None),
        ("address", "255.255.255.255", None),
        ("address", "10.0.0.5'; --", None),
        ("service", "10.0.0.5:443", AssetKind.SERVICE),
        ("service", "[fd00::1]:443", AssetKind.SERVICE),
        ("service", "8.8.8.8:53", AssetKind.EXTERNAL),
        ("service", "127.0.0.1:80", None),
        ("domain", "10.0.0.5", None),
        ("domain", "Portal.City.example.", AssetKind.DOMAIN),
        ("user", "CITY\\wang", AssetKind.USER),
    ],
)
def test_what_a_value_becomes(kind: str, value: str, becomes: AssetKind | None) -> None:
    kinds = [asset.kind for asset in folded([sighting(kind, value)]).assets.values()]
    assert kinds == ([] if becomes is None else [becomes])


def test_an_address_is_tied_to_a_host_only_where_a_format_declares_it_and_the_latest_holds() -> None:
    seen = [sighting("host", "a"), sighting("address", "10.0.0.5")]
    assert only(folded(seen), "address").host_id == ""
    seen += [linked("address", "10.0.0.5", "is", "host", "a", last=70)]
    seen += [linked("address", "10.0.0.5", "is", "host", "b", last=60)]
    known = folded(seen)
    hosts = {asset.name: asset for asset in known.assets.values() if asset.kind is AssetKind.HOST}
    assert only(known, "address").host_id == hosts["a"].id
    assert hosts["a"].addresses == {"10.0.0.5": 70}
    assert hosts["b"].addresses == {"10.0.0.5": 60}


def test_a_relation_sights_both_ends_and_links_them() -> None:
    known = folded([linked("address", "10.0.0.5", "connected", "service", "10.0.0.9:443", count=3)])
    source, service = only(known, "address"), only(known, "service")
    link = known.links[LinkKey(source.id, service.id, Relation.CONNECTED)]
    assert (link.count, source.count, service.count, service.addresses) == (3, 3, 3, {"10.0.0.9": 20})


def test_only_the_names_seen_last_are_kept() -> None:
    names = [f"web.{n}.example" for n in range(KEPT + 5)]
    host = only(folded([sighting(value=name, last=100 + n) for n, name in enumerate(names)]))
    assert list(host.names) == names[: -KEPT - 1 : -1]


def test_what_people_wrote_is_passed_through() -> None:
    known = folded([sighting()])
    (asset,) = known.assets.values()
    said = Described(state=AssetState.RETIRED, owner="王磊", note="decommissioned")
    known = Known({asset.id: msgspec.structs.replace(asset, described=said, changed=15, changed_by="li")}, {})
    changes = fold([sighting(last=99)], known, room())
    (later,) = changes.assets.values()
    assert (later.described, later.changed, later.changed_by, later.last_seen) == (said, 15, "li", 99)
    assert later.back_from_retirement
    assert changes.makers == {}


def test_a_flood_of_names_takes_no_room_of_others() -> None:
    flood = [sighting("user", f"made-up-{n}", source_id="bad") for n in range(50)]
    others = [sighting("host", "real", source_id="bad"), sighting("user", "wang", source_id="good")]
    changes = fold([*flood, *others], Known({}, {}), room(user=10))
    assert dict(changes.capped) == {"bad": 40}
    assert {asset.name for asset in changes.assets.values()} >= {"real", "wang"}
    assert len(changes.assets) == 12


def test_room_is_what_is_left_ever_and_in_this_run() -> None:
    one = room(run=3, host=5)
    first = fold([sighting(value=f"h{n}") for n in range(9)], Known({}, {}), one)
    one.take(first.made)
    second = fold([sighting(value="later")], after(Known({}, {}), first), one)
    assert [len(changes.assets) for changes in (first, second)] == [3, 0]
    assert [dict(changes.capped) for changes in (first, second)] == [{"s1": 6}, {"s1": 1}]


def test_what_is_known_is_widened_though_there_is_no_room() -> None:
    known = folded([sighting()])
    changes = fold([sighting(last=99)], known, room(host=0))
    assert only(after(known, changes)).last_seen == 99
    assert dict(changes.capped) == {}


@pytest.mark.parametrize("kind", list(EntityKind))
@given(value=st.text(st.characters(), min_size=1))
def test_no_text_raises(kind: EntityKind, value: str) -> None:
    folded([sighting(kind, value)])
