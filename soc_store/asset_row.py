"""An asset as a row of the state database, and back."""

from typing import Any

import msgspec
from sqlalchemy import Row

from soc_model.asset import Asset, AssetClass, AssetKind, AssetState, Described, Importance
from soc_model.layer import Layer, Realm
from soc_store.packing import jsoned, text

PEOPLE = ("state", "owner", "asset_class", "importance", "mlps_object", "note")
_PLAIN = ("id", "unit", "name", "first_seen", "last_seen", "count", "host_id", "host_at")
_LISTED = ("names", "addresses", "sources")


def machine_columns(asset: Asset) -> dict[str, Any]:
    """The columns that the machine writes."""
    row: dict[str, Any] = {name: getattr(asset, name) for name in _PLAIN}
    row |= {name: jsoned(getattr(asset, name)) for name in _LISTED}
    row |= {"realm": asset.realm.value, "kind": asset.kind.value, "layers": f" {' '.join(asset.layers)} "}
    row["words"] = text("\n".join({**asset.names, **asset.addresses})).casefold()
    return row


def people_columns(asset: Asset) -> dict[str, Any]:
    """The columns that people write, and who did last."""
    row = {name: str(getattr(asset.described, name)) for name in PEOPLE}
    return row | {"changed": asset.changed, "changed_by": asset.changed_by}


def asset_of(row: Row[Any]) -> Asset:
    """The asset of a row."""
    values: dict[str, Any] = {name: row._mapping[name] for name in _PLAIN}
    values |= {name: msgspec.json.decode(row._mapping[name], type=dict[str, int]) for name in _LISTED}
    return Asset(
        **values,
        realm=Realm(row.realm),
        kind=AssetKind(row.kind),
        layers=tuple(Layer(name) for name in row.layers.split()),
        described=Described(
            state=AssetState(row.state),
            owner=row.owner,
            asset_class=AssetClass(row.asset_class),
            importance=Importance(row.importance),
            mlps_object=row.mlps_object,
            note=row.note,
        ),
        changed=row.changed,
        changed_by=row.changed_by,
    )
