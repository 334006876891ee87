"""Each embedded store has every method of its interface, with the same signature."""

import inspect

import pytest

from soc_store import interfaces
from soc_store.api_keys import ApiKeys
from soc_store.archive import Archive
from soc_store.assets import Assets
from soc_store.audit import AuditLog
from soc_store.enrolment import Enrolments
from soc_store.jobs import Jobs
from soc_store.journal import Journal, JournalReader
from soc_store.outcome_log import OutcomeLog, OutcomeReader
from soc_store.people import People
from soc_store.schedules import Schedules
from soc_store.sign_ins import SignIns
from soc_store.state import State

PAIRS = [
    (interfaces.JournalStore, Journal),
    (interfaces.JournalSource, JournalReader),
    (interfaces.OutcomeStore, OutcomeLog),
    (interfaces.OutcomeSource, OutcomeReader),
    (interfaces.ArchiveStore, Archive),
    (interfaces.AlertStore, State),
    (interfaces.JobStore, Jobs),
    (interfaces.ScheduleStore, Schedules),
    (interfaces.AssetStore, Assets),
    (interfaces.PeopleStore, People),
    (interfaces.EnrolmentStore, Enrolments),
    (interfaces.SignInStore, SignIns),
    (interfaces.KeyStore, ApiKeys),
    (interfaces.AuditStore, AuditLog),
]


@pytest.mark.parametrize(("interface", "store"), PAIRS)
def test_a_store_has_the_methods_of_its_interface(interface, store):
    names = [name for name in vars(interface) if not name.startswith("_")]
    assert names
    for name in names:
        assert inspect.signature(getattr(store, name)) == inspect.signature(getattr(interface, name)), name
