"""Query parameters that the API's lists share; what is not known is refused rather than ignored."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

TIME_HELP = "RFC 3339, µs since the epoch, or a span before now such as -24h"


def _stated(values: object) -> object:
    """Without empty strings: a form sends every field, filled or not."""
    return [value for value in values if value != ""] if isinstance(values, list) else values


Stated = BeforeValidator(_stated)
TimeText = Annotated[str, Field(max_length=40, description=TIME_HELP)]
ShortText = Annotated[str, Field(max_length=200)]


class PageParameters(BaseModel):
    """One page of a list: how long, and where the page before ended."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: Annotated[int, Field(ge=1, le=500)] = 100
    cursor: Annotated[str, Field(max_length=1000, description="`cursor` of the page before")] = ""
