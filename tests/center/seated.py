"""The three administrators of a real data directory, set up without a browser."""

from hashlib import sha256

from argon2 import PasswordHasher

from soc_api.one_time_code import secret_of
from soc_center.folder import DataFolder
from soc_center.gauge import now_us
from soc_model.person import Enrolment
from soc_store.people import CENTER
from soc_store.secret_box import open_box
from soc_store.state import State

PASSWORD = "beacons on nine towers"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def seat_all(folder: DataFolder) -> None:
    """Set all three up: ``system``, ``security`` and ``audit``, with ``PASSWORD`` and codes of ``SECRET``."""
    state, now = State.open(folder.state_url), now_us()
    box = open_box(folder.secret_key, may_make=False)
    hashed = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)
    for role, person in state.people.make_first(now).items():
        name = role.value.partition("_")[0]
        link, cookie = (sha256(f"{part} {name}".encode()).hexdigest() for part in ("link", "cookie"))
        state.people.invite(person.id, link, now + 1_000_000, CENTER, now)
        sealed, end = box.seal(SECRET, secret_of(person.id)), now + 1_000_000
        chosen = Enrolment(person_id=person.id, name=name, password=hashed, totp_secret=sealed, expires=end)
        assert state.enrolments.begin(link, cookie, chosen, "", now)
        assert state.enrolments.complete(cookie, 0, [sha256(name.encode()).hexdigest()], "", now)
    state.close()
