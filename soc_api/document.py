"""The OpenAPI document: what FastAPI knows, plus the right of each operation and the schemas of our structs."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from soc_api.rights import endpoints


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """The document, with ``x-right`` on every operation."""
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes, openapi_version="3.1.0"
    )
    components = document.setdefault("components", {}).setdefault("schemas", {})
    _gather(document["paths"], components)
    for endpoint in endpoints(app):
        operation = document["paths"].get(endpoint.path, {}).get(endpoint.method.lower())
        if operation is not None:
            operation["x-right"] = endpoint.rights[0].value if endpoint.rights else None
            _drop_validation_error(operation)
    for unused in ("HTTPValidationError", "ValidationError"):
        components.pop(unused, None)
    return document


def _gather(node: Any, components: dict[str, Any]) -> None:
    """Move the struct schemas that ``answers`` left beside each reference into the components."""
    if isinstance(node, list):
        for each in node:
            _gather(each, components)
    elif isinstance(node, dict):
        components.update(node.pop("x-parts", {}))
        for each in node.values():
            _gather(each, components)


def _drop_validation_error(operation: dict[str, Any]) -> None:
    """FastAPI describes its own 422; ours is a problem document like every other."""
    answer = operation["responses"].get("422", {})
    if "application/json" in answer.get("content", {}):
        operation["responses"]["422"] = operation["responses"]["401"]
