"""What documents are called: by id or by name, as filters and correlations refer to them."""

from collections.abc import Iterable
from uuid import UUID

from detection_rules.rule import RuleDocument
from detection_rules.rule_card import digest_of
from detection_rules.sigma_parse import RuleError


def key_of(reference: str) -> str:
    """The reference in the one way in which it is compared: an id as lower case with its dashes."""
    try:
        return str(UUID(reference))
    except ValueError:
        return reference


def document_id(document: RuleDocument) -> str:
    """The document's id; of one that has none, the beginning of its digest."""
    stated = document.data.get("id")
    return key_of(stated) if isinstance(stated, str) and stated else digest_of(document)[:32]


def keys_of(document: RuleDocument) -> tuple[str, ...]:
    """The id and the name of a document, those that it has."""
    return tuple(key_of(value) for key in ("id", "name") if isinstance(value := document.data.get(key), str) and value)


class References:
    """All documents by id and by name, whether they load or not."""

    def __init__(self, documents: Iterable[RuleDocument]) -> None:
        self._found: dict[str, list[RuleDocument]] = {}
        for document in documents:
            for key in dict.fromkeys(keys_of(document)):
                self._found.setdefault(key, []).append(document)

    def document(self, reference: str) -> RuleDocument:
        """The one that is meant; of several with one id the first. Raises ``RuleError`` naming what is not there."""
        found = self._found.get(key_of(reference), [])
        if not found:
            raise RuleError(f"there is no rule {reference!r}")
        named = [one for one in found if key_of(reference) == one.data.get("name")]
        if len(named) > 1:
            places = ", ".join(f"{one.path}:{one.line}" for one in named)
            raise RuleError(f"{reference!r} is the name of several rules: {places}")
        return found[0]
