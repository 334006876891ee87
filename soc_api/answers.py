"""Structs of soc_model and soc_store as JSON answers and as OpenAPI schemas: one noun, one definition."""

from typing import Any

import msgspec
from fastapi import Response

from soc_api.problems import PROBLEM_JSON, ProblemDocument

_REF = "#/components/schemas/{name}"


def json_answer(value: Any, status: int = 200) -> Response:
    """A struct, or a list of them, as JSON."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def answers(kind: Any, *problems: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route that answers with ``kind`` or with one of these problem statuses."""
    return {200: _content(kind, "application/json", "What was asked for"), **problem_answers(*problems)}


def problem_answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` for these problem statuses, and for the two that every operation may answer with."""
    described = _content(ProblemDocument, PROBLEM_JSON, "A problem (RFC 9457)")
    return dict.fromkeys((401, 403, *statuses), described)


def _content(kind: Any, media_type: str, description: str) -> dict[str, Any]:
    schema, parts = msgspec.json.schema_components([kind], ref_template=_REF)
    # The parts travel beside the schema; describe_rights moves them to the document's components.
    return {"description": description, "content": {media_type: {"schema": {**schema[0], "x-parts": parts}}}}
