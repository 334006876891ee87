"""Events of one source that zones give to several units: each unit sights its own hosts, with their own addresses."""

from detection_rules.sightings import see
from soc_center.assigning import assigned
from soc_model.reference import Reference, Zone
from soc_model.sighting import Relation
from tests.detection.test_sightings import located


def test_each_unit_sights_its_own_hosts_and_addresses() -> None:
    zones = Reference([Zone(name="z", unit="water", hosts=["w1"])])
    one = located([1, 2], own=["10.0.0.1", "10.0.0.2"], host__name=["a", "w1"])
    seen = see(assigned([one], zones)).sightings
    assert {(each.unit, each.value) for each in seen if each.relation is None} == {("u1", "a"), ("water", "w1")}
    ties = {(each.unit, each.value, each.value2) for each in seen if each.relation is Relation.IS}
    assert ties == {("u1", "10.0.0.1", "a"), ("water", "10.0.0.2", "w1")}
