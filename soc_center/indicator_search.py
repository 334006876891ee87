"""What the set in force knows of one value, whatever kind of value it is; for people who ask."""

from pathlib import Path

from detection_rules.feeds.canonical import refanged
from soc_center.indicator_folder import open_current
from soc_model.indicator import Indicator
from soc_model.observable import address_of, domain_of, email_of, hash_of, host_of, url_of


def search(folder: Path, text: str) -> list[Indicator]:
    """Every indicator that a record with this value would meet, ended ones too."""
    known = open_current(folder)
    value = refanged(text)
    if known is None or not value:
        return []
    found = list(known.digest(hash_of(value))) if hash_of(value) else []
    if url := url_of(value):
        found += known.url(url)
    if email := email_of(value):
        found += known.email(email)
    whole = url_of(value).partition("/")[0] if "/" in value else value
    packed = address_of(host_of(whole))
    if packed:
        found += known.address(packed)
    elif name := domain_of(host_of(whole)):
        found += known.domain(name)
    return list(dict.fromkeys(found))
