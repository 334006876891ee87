"""Static files: ours and the vendored ones, compressed, kept by browsers for ever under a URL that holds their hash."""

from pathlib import Path

from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Scope

FOR_EVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "public, no-cache"


class HashedFiles(StaticFiles):
    """Files whose URL says ``?v=HASH`` never change; the others are asked for again, by their ETag."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = FOR_EVER if scope["query_string"].startswith(b"v=") else ASK_AGAIN
        return response


def static_files(folder: Path) -> ASGIApp:
    """The app that serves a folder. Only here is anything compressed: no secret shares a response with others' text."""
    return GZipMiddleware(HashedFiles(directory=folder), minimum_size=1000, compresslevel=6)
