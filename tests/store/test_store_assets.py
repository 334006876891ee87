"""The assets kept: a slice counts once, people and machine write apart, pages, scope, links, what found no room."""

import random

import pytest

from risk_assessment.fold import fold, spoken_of
from risk_assessment.room import Room
from soc_model.asset import AssetKind, AssetState, Bucket, Described, Importance
from soc_model.layer import Layer, Realm
from soc_model.problem import Problem
from soc_model.scope import Scope
from soc_store.asset_query import AssetFilter, FoldCursor
from soc_store.assets import Assets
from soc_store.manifest import Partition
from soc_store.state import State
from tests.assets.seeing import linked, room, sighting
from tests.store.making import NOON, SYSTEM

ALL = AssetFilter()
PLACE = Partition(Realm.LIVE, Layer.HOST, "2023-11-15")


@pytest.fixture
def assets(tmp_path):
    url = f"sqlite:///{tmp_path}/state.db"
    State.open(url, migrate=True).close()
    opened = Assets.open(url)
    yield opened
    opened.close()


def put(assets, *sightings, offset=1, after=0, roomy=None):
    """Fold sightings as the job does."""
    changes = fold(sightings, assets.known(*spoken_of(sightings)), roomy or room())
    assets.commit_fold(changes, PLACE, FoldCursor(offset=offset), FoldCursor(offset=after))


def listed(assets, scope=SYSTEM, limit=3, **wanted):
    found, cursor = [], None
    while True:
        page = assets.assets(scope, AssetFilter(**wanted), limit, cursor)
        found += page.assets
        cursor = page.cursor
        if cursor is None:
            return found


def test_what_is_folded_is_read_back_whole(assets):
    one = linked("address", "10.0.0.5", "is", "host", "WEB-01", last=70)
    put(assets, one, linked("user", "王磊", "seen_on", "host", "web-01.city.example", last=90))
    changes = fold([one], assets.known(set(), set()), room())
    by_kind = {asset.kind: asset for asset in listed(assets, of_hosts=True)}
    host, user, address = by_kind[AssetKind.HOST], by_kind[AssetKind.USER], by_kind[AssetKind.ADDRESS]
    assert (host.name, host.addresses, user.name) == ("web-01.city.example", {"10.0.0.5": 70}, "王磊")
    assert address == next(asset for asset in changes.assets.values() if asset.kind is AssetKind.ADDRESS)
    assert address.host_id == host.id
    assert {asset.kind for asset in listed(assets)} == {AssetKind.HOST, AssetKind.USER}


def test_a_slice_that_is_committed_again_changes_nothing(assets):
    put(assets, sighting(count=5), offset=3)
    before = listed(assets)
    for offset, after in ((3, 0), (9, 2), (9, 4)):
        with pytest.raises(Problem, match="do not follow the stored cursor"):
            put(assets, sighting(count=5), sighting(value="new"), offset=offset, after=after)
    assert listed(assets) == before
    assert assets.folded(Realm.LIVE) == (0, {PLACE: FoldCursor(offset=3)})
    assert assets.made() == {Bucket("s1", "host"): 1}


def test_partitions_have_cursors_of_their_own(assets):
    other = Partition(Realm.LIVE, Layer.DATA, PLACE.day)
    put(assets, sighting(), offset=8)
    changes = fold([sighting()], assets.known(*spoken_of([sighting()])), room())
    assets.commit_fold(changes, other, FoldCursor(offset=2, sighting_id="a"), FoldCursor())
    assets.looked_at(Realm.LIVE, 17)
    assert assets.folded(Realm.LIVE) == (
        17,
        {PLACE: FoldCursor(offset=8), other: FoldCursor(offset=2, sighting_id="a")},
    )
    assert assets.folded(Realm.DRILL) == (0, {})


def test_people_and_machine_write_apart(assets):
    put(assets, sighting(), offset=1)
    (asset,) = listed(assets)
    assets.describe(SYSTEM, asset.id, {"owner": "李娜"}, "li", NOON - 1)
    change = {"state": "confirmed", "importance": "high", "note": "核心\ud800"}
    changed = assets.describe(SYSTEM, asset.id, change, "li", NOON)
    put(assets, sighting(last=99, count=4), offset=2, after=1)
    (later,) = listed(assets)
    assert (later.last_seen, later.count, later.changed, later.changed_by) == (99, 5, NOON, "li")
    said = Described(state=AssetState.CONFIRMED, owner="李娜", importance=Importance.HIGH, note="核心\\ud800")
    assert later.described == said == changed.described
    assert (changed.last_seen, changed.count) == (20, 1)


def test_a_description_that_changes_nothing_is_no_change(assets):
    put(assets, sighting())
    (asset,) = listed(assets)
    assert assets.describe(SYSTEM, asset.id, {"owner": ""}, "li", NOON).changed == 0


def test_people_cannot_change_what_their_scope_does_not_see(assets):
    put(assets, sighting(unit="u2"))
    (asset,) = listed(assets)
    narrow = Scope(units=frozenset({"u1"}), realms=frozenset(Realm))
    assert assets.describe(narrow, asset.id, {"owner": "me"}, "li", NOON) is None
    assert listed(assets) == [asset]


@pytest.mark.parametrize(
    ("units", "realms", "seen"),
    [
        (None, list(Realm), 4),
        ({"u1"}, list(Realm), 2),
        ({"u2"}, [Realm.DRILL], 1),
        (set(), list(Realm), 0),
        (None, [], 0),
    ],
)
def test_every_read_is_within_the_scope(assets, units, realms, seen):
    places = [(unit, realm) for unit in ("u1", "u2") for realm in (Realm.LIVE, Realm.DRILL)]
    put(assets, *(linked("user", "w", "seen_on", "host", "h", unit=unit, realm=realm) for unit, realm in places))
    scope = Scope(units=None if units is None else frozenset(units), realms=frozenset(realms))
    found = listed(assets, scope, kinds=(AssetKind.HOST,))
    assert len(found) == seen == assets.asset_counts(scope, ALL).by_kind.get(AssetKind.HOST, 0)
    for asset in listed(assets):
        told = assets.asset_detail(scope, asset.id)
        assert (told is not None) == scope.sees(asset.unit, asset.realm) == (assets.asset(scope, asset.id) is not None)
        assert told is None or len(told.links) == 1


def test_pages_are_in_order_without_gap_or_double_also_across_ties(assets):
    seen = [sighting(value=f"h{n}", last=20 + n // 4) for n in range(23)]
    put(assets, *random.sample(seen, len(seen)))
    whole = listed(assets, limit=100)
    assert listed(assets) == whole
    assert [asset.last_seen for asset in whole] == sorted((asset.last_seen for asset in whole), reverse=True)
    assert len({asset.id for asset in whole}) == 23


@pytest.mark.parametrize("cursor", ["x", "W10", "WzEsMl0", "WyJhIiwiYiJd"])
def test_a_cursor_of_something_else_is_refused(assets, cursor):
    with pytest.raises(Problem) as caught:
        assets.assets(SYSTEM, ALL, 5, cursor)
    assert caught.value.place == "cursor"


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ({"kinds": (AssetKind.HOST,)}, {"DB-1", "web_01"}),
        ({"layers": (Layer.DATA,)}, {"DB-1"}),
        ({"units": ("u2",)}, {"10.0.0.9"}),
        ({"realms": (Realm.DRILL,)}, {"drilled"}),
        ({"text": "db"}, {"DB-1"}),
        ({"text": "_"}, {"web_01"}),
        ({"text": "10.0.0.7"}, {"DB-1"}),
        ({"text": "10.0.0.7", "of_hosts": True}, {"DB-1", "10.0.0.7"}),
        ({"text": "%"}, set()),
        ({"states": (AssetState.RETIRED,)}, {"web_01"}),
    ],
)
def test_filters(assets, wanted, names):
    put(
        assets,
        linked("address", "10.0.0.7", "is", "host", "DB-1", layer=Layer.DATA),
        sighting(value="web_01"),
        sighting("address", "10.0.0.9", unit="u2"),
        sighting("user", "drilled", realm=Realm.DRILL),
    )
    web = next(asset for asset in listed(assets) if asset.name == "web_01")
    assets.describe(SYSTEM, web.id, {"state": "retired"}, "li", NOON)
    assert {asset.name for asset in listed(assets, **wanted)} == names
    assert assets.asset_counts(SYSTEM, AssetFilter(**wanted)).total == len(names)


def test_links_tell_both_ends_and_how_many_there_are(assets):
    put(assets, *(linked("user", f"u{n}", "seen_on", "host", "h", last=30 + n, count=n + 1) for n in range(5)))
    host = next(asset for asset in listed(assets) if asset.kind is AssetKind.HOST)
    detail = assets.asset_detail(SYSTEM, host.id, 2)
    assert [(one.asset.name, one.outward, one.count) for one in detail.links] == [("u4", False, 5), ("u3", False, 4)]
    assert detail.links_total == 5
    back = assets.asset_detail(SYSTEM, detail.links[0].asset.id)
    assert [(one.asset.id, one.outward) for one in back.links] == [(host.id, True)]


def test_what_found_no_room_is_counted_by_source(assets):
    put(assets, *(sighting(value=f"h{n}") for n in range(5)), roomy=room(host=2))
    put(assets, sighting(value="other"), offset=2, after=1, roomy=Room(assets.made(), run=9, most={"host": 2}))
    assert (assets.capped(), assets.made()) == ({"s1": 4}, {Bucket("s1", "host"): 2})
    assert len(listed(assets)) == 2
