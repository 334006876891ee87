"""Draws pages: one Jinja environment a language, the viewer's choices from cookies, one frame around every page."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from soc_api.console import clock, text, words
from soc_api.console.catalog import LANGUAGES, Language, choose, translations
from soc_api.console.span import RANGES
from soc_api.services import Services
from soc_model.right import Right, Role
from soc_model.session import Session
from soc_model.source import Source

HERE = Path(__file__).parent
STATIC = HERE / "static"
THEMES = ("auto", "dark", "light")
NAVIGATION = (
    ("alerts", "/alerts", Right.ALERTS_READ, words.N_("Alerts")),
    ("events", "/events", Right.EVENTS_READ, words.N_("Events")),
    ("sources", "/sources", Right.SOURCES_READ, words.N_("Sources")),
    ("assets", "/assets", Right.ASSETS_READ, words.N_("Assets")),
    ("rules", "/rules", Right.RULES_READ, words.N_("Rules")),
    ("coverage", "/coverage", Right.RULES_READ, words.N_("Coverage")),
    ("indicators", "/indicators", Right.INDICATORS_READ, words.N_("Indicators")),
    ("jobs", "/jobs", Right.JOBS_READ, words.N_("Jobs")),
    ("health", "/health", Right.HEALTH_READ, words.N_("Health")),
    ("people", "/people", Right.PEOPLE_READ, words.N_("People")),
    ("key", "/keys", Right.KEYS_MANAGE, words.N_("API keys")),
    ("audit", "/audit", Right.AUDIT_READ, words.N_("Audit")),
    ("account", "/account", Right.SESSION_OWN, words.N_("My account")),
)


class AssetsMissing(Exception):
    """The vendored scripts are not there."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """How this person looks at the console; from cookies, so never trusted for more than looks."""

    language: Language
    theme: str
    zone: tzinfo

    @classmethod
    def of(cls, request: Request) -> "Viewer":
        """The choices in the request's cookies and headers."""
        theme = request.cookies.get("theme", "auto")
        return cls(
            language=choose(request.cookies.get("language"), request.headers.get("accept-language", "")),
            theme=theme if theme in THEMES else "auto",
            zone=clock.zone_of(request.cookies.get("zone")),
        )


class Console:
    """The renderer of all pages; raises at start when catalogs or vendored scripts are missing."""

    def __init__(self, services: Services) -> None:
        self._services = services
        missing = [
            name for name in ("htmx.min.js", "echarts.common.min.js") if not (STATIC / "vendor" / name).is_file()
        ]
        if missing:
            raise AssetsMissing(f"{STATIC / 'vendor'} lacks {', '.join(missing)}: run `make env`, which fetches them")
        self._environments = {language: _environment(language) for language in LANGUAGES}
        self._words = {language: translations(language) for language in LANGUAGES}

    def page(
        self,
        request: Request,
        template: str,
        session: Session | None,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **context: Any,
    ) -> HTMLResponse:
        """A whole page, or the part of one that a template of parts gives."""
        viewer, services = Viewer.of(request), self._services
        now = services.now()
        html = (
            self._environments[viewer.language]
            .get_template(template)
            .render(
                **self._formats(viewer, now),
                ranges=RANGES,
                viewer=viewer,
                session=session,
                rights=session.rights if session else frozenset(),
                services=services,
                here=request.url.path,
                now=now,
                **context,
            )
        )
        # A lone surrogate in a record must cost one character, not the page.
        return HTMLResponse(html.encode("utf-8", "replace"), status, headers=dict(headers or {}))

    def error_page(self, request: Request, status: int, detail: str, errors: Sequence[Any]) -> HTMLResponse:
        """What happened and what to do, in the viewer's language; to htmx as a fragment for the toast area."""
        title, advice = words.ERRORS.get(status, words.ERRORS[500 if status >= 500 else 400])
        part = bool(request.headers.get("hx-request"))
        return self.page(
            request,
            "error_part.html" if part else "error.html",
            None,
            status=status,
            title=title,
            advice=advice,
            detail=detail,
            errors=errors,
            status_code=status,
            waits_for=self._waits_for() if status == 503 else [],
            command=self._services.link_command if status == 410 else "",
        )

    def _waits_for(self) -> list[Role]:
        """The administrators that a first start still waits for."""
        return [] if self._services.evaluation else list(self._services.state.people.missing_administrators())

    def _formats(self, viewer: Viewer, now: int) -> dict[str, Any]:
        return {
            "full_time": partial(clock.full_time, zone=viewer.zone),
            "short_time": partial(clock.short_time, zone=viewer.zone, now=now),
            "form_time": partial(clock.form_time, zone=viewer.zone),
            "zone_label": clock.zone_label(viewer.zone, now),
            "level_names": {level: self._words[viewer.language].gettext(word) for level, word in words.LEVELS.items()},
            "rule_title": partial(_rule_title, chinese=viewer.language.tag.startswith("zh")),
            "untranslated": partial(_untranslated, chinese=viewer.language.tag.startswith("zh")),
        }


def _environment(language: Language) -> Environment:
    found = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
    )
    found.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
    found.filters |= {
        "visible": text.visible,
        "plain": text.plain,
        "block": text.block,
        "prose": text.prose,
        "browser": text.browser,
        "query_value": text.query_value,
        "size": clock.size,
        "number": clock.number,
        "span": clock.span,
        "compact": clock.compact,
        "rfc3339": clock.rfc3339,
        "to_json": to_json,
        "sum_of": sum_of,
    }
    found.globals |= {
        "words": words,
        "languages": LANGUAGES,
        "navigation": NAVIGATION,
        "static": _static_urls(),
        "link": link,
        "source_choices": source_choices,
    }
    return found


def link(path: str, **parameters: Any) -> str:
    """A URL of the console with a query; nothing that is empty stands in it."""
    stated = {name: value for name, value in parameters.items() if value not in (None, "", [], ())}
    return f"{path}?{urlencode(stated, doseq=True)}" if stated else path


def to_json(value: Any) -> str:
    """JSON for an attribute, which Jinja escapes."""
    return msgspec.json.encode(value).decode()


def sum_of(keys: Iterable[str], counts: Mapping[Any, int]) -> int:
    """The sum of the counts of these keys."""
    return sum(counts.get(key, 0) for key in keys)


def source_choices(sources: Iterable[Source]) -> list[tuple[str, str]]:
    """Sources as a select wants them, by name."""
    return sorted(((source.id, text.plain(source.name)) for source in sources), key=lambda choice: choice[1])


def _rule_title(rule: Any, *, chinese: bool) -> str:
    return str(rule.title_zh) if chinese and rule.title_zh else str(rule.title)


def _untranslated(rule: Any, *, chinese: bool) -> bool:
    """Whether the English title stands in for a Chinese one that nobody has written."""
    return chinese and not rule.title_zh


def _static_urls() -> dict[str, str]:
    """The URL of each static file by name, with its hash, so that browsers may keep it for ever.

    Not so our own modules: they import one another by plain name, and a module under two URLs would run twice.
    """
    found = {}
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            name = path.relative_to(STATIC).as_posix()
            plain = path.suffix == ".js" and path.parent == STATIC
            found[name] = (
                f"/static/{name}" if plain else f"/static/{name}?v={sha256(path.read_bytes()).hexdigest()[:12]}"
            )
    return found
