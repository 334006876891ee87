"""A small center, its app, and clients signed in as whoever a test needs."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from soc_api.app import create_app
from soc_model.right import Role
from tests.api.world import World, make_world

ORIGIN = "http://127.0.0.1"
NOW = 1_763_892_000_000_000  # 2025-11-23 10:00 UTC


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[World]:
    """A center nobody has signed in to yet."""
    world = make_world(tmp_path, NOW)
    yield world
    world.assets.close()
    world.state.close()


@pytest.fixture
def world(fresh: World) -> World:
    """A center that has had its first sign-in."""
    fresh.open_up()
    return fresh


@pytest.fixture
def app(world: World) -> FastAPI:
    return create_app(world.services())


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    """Nobody, on the center's own host."""
    return a_client(app)


@pytest.fixture
def signed_in(app: FastAPI, world: World) -> Callable[..., TestClient]:
    """A client with a session of these roles (all by default), seeing these units (all by default)."""

    def sign_in(*roles: Role, units: frozenset[str] | None = None) -> TestClient:
        made = a_client(app)
        made.cookies.set("fengsui", world.session(*(roles or tuple(Role)), units=units))
        return made

    return sign_in


def a_client(app: FastAPI) -> TestClient:
    """A browser on our own pages, which follows no redirect and lets errors become answers."""
    return TestClient(
        app,
        base_url=ORIGIN,
        headers={"Origin": ORIGIN, "Accept-Language": "en"},
        follow_redirects=False,
        raise_server_exceptions=False,
    )
