"""``fengsui link``, ``people`` and ``audit``: what is done on the terminal, by the owner of the data directory."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from soc_center.folder import DataFolder
from soc_center.gauge import now_us
from soc_center.link import (
    EVALUATION,
    TITLES,
    check_owner,
    console_address,
    link_of,
    new_links,
    token_sha256,
)
from soc_center.prepare import LINK_US, TERMINAL, prepare
from soc_center.settings import read_settings
from soc_model.person import Person
from soc_model.problem import Problem
from soc_model.right import ADMINISTRATORS, Role
from soc_store.state import State

BROKEN = 1
Data = Annotated[Path, typer.Option("--data", help="the data directory")]

people_app = typer.Typer(help="People: who may sign in.", no_args_is_help=True)
audit_app = typer.Typer(help="The audit record: whether its chain holds.", no_args_is_help=True)


def link(
    data: Data = Path("var/data"),
    role: Annotated[Role | None, typer.Option("--role", help="for this administrator, not set up yet")] = None,
    person: Annotated[str, typer.Option("--person", help="for this person, to set password and code anew")] = "",
) -> None:
    """Print a new one-time link (15 minutes): of an evaluation, for administrators not set up yet, or for a person."""
    folder = DataFolder(data.resolve())
    check_owner(folder.state)
    settings = read_settings(folder.settings)
    with opened(folder) as state:
        mode, missing = state.mode(), state.people.missing_administrators()
    address = console_address(settings, opened=mode == EVALUATION or not missing)
    if person:
        typer.echo(reset_link(folder, address, person))
    elif mode == EVALUATION and role is None:
        [made] = new_links(address, [EVALUATION], partial(prepare, folder, "evaluation")).values()
        typer.echo(made)
    else:
        for each, made in administrator_links(folder, address, role).items():
            typer.echo(f"{TITLES[each]}\n  {made}")


def reset_link(folder: DataFolder, address: str, name: str) -> str:
    """A link with which a person sets password and code anew; raises Problem when there is none of that name."""
    token = secrets.token_urlsafe(32)
    with opened(folder) as state:
        now = now_us()
        state.people.invite(state.people.named(name).id, token_sha256(token), now + LINK_US, TERMINAL, now)
    return link_of(address, token)


def administrator_links(folder: DataFolder, address: str, role: Role | None) -> dict[str, str]:
    """Links for the administrators who are not set up yet, or for the one of ``role``; raises Problem for none."""
    if role is not None and role not in ADMINISTRATORS:
        raise Problem("--role", f"one of {', '.join(sorted(ADMINISTRATORS))}")
    wanted = [role.value] if role else list(TITLES)
    made = new_links(address, wanted, partial(prepare, folder, "real"))
    if not made:
        raise Problem("fengsui link", "that is set up already; for a new password and code use --person NAME")
    return made


@people_app.command(name="list")
def people_list(data: Data = Path("var/data")) -> None:
    """Print everybody: name, roles, units, state."""
    folder = DataFolder(data.resolve())
    check_owner(folder.state)
    with opened(folder) as state:
        for one in state.people.all():
            typer.echo(told(one))


def told(one: Person) -> str:
    """A person in one line."""
    state = "disabled" if one.disabled else "set up" if one.set_up else "not set up yet"
    roles = ", ".join(sorted(one.roles)) or "no role yet"
    units = "all units" if one.units is None else ", ".join(sorted(one.units))
    return f"{one.id:4}  {one.name or '(no name yet)':20}  {roles:24}  {units:12}  {state}"


@audit_app.command()
def verify(data: Data = Path("var/data")) -> None:
    """Walk the chain of the audit record. Exit 0 it holds, 1 it is broken, 2 wrong usage."""
    folder = DataFolder(data.resolve())
    check_owner(folder.state)
    with opened(folder) as state:
        found = state.audit.verify()
    for fault in found.faults:
        typer.echo(f"audit: {fault}")
    head = f"; head {found.head}" if found.head else ""
    typer.echo(f"audit: {'BROKEN' if found.faults else 'consistent'}, {found.entries} entries{head}")
    raise typer.Exit(BROKEN if found.faults else 0)


@contextmanager
def opened(folder: DataFolder) -> Iterator[State]:
    """The state of a data directory."""
    state = State.open(folder.state_url, migrate=False)
    try:
        yield state
    finally:
        state.close()
