"""Every word of the console is translated, and every script and licence it needs is named and pinned."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import Environment

from soc_api.console import catalog
from soc_api.console.catalog import CHINESE, CatalogMissing, translations

babel = pytest.importorskip("babel.messages", reason="Babel reads the .po file: pip install babel")


def messages_in_use(root: Path) -> Iterator[str | tuple[str, str]]:
    """Every message of the templates and of ``N_`` in the console's modules."""
    environment = Environment(extensions=["jinja2.ext.i18n"], autoescape=True)
    for template in sorted((root / "soc_api/console/templates").glob("*.html")):
        for _, function, message in environment.extract_translations(template.read_text("utf-8")):
            found = tuple(message[:2]) if function == "ngettext" else message
            if found is not None:
                yield found
    from babel.messages.extract import extract_from_dir

    for _, _, message, _, _ in extract_from_dir(root / "soc_api/console", [("**.py", "python")], keywords={"N_": None}):
        yield message


@pytest.fixture(scope="module")
def chinese(root: Path) -> "babel.Catalog":
    from babel.messages.pofile import read_po

    with (root / "soc_api/console/locale/zh_CN/LC_MESSAGES/fengsui.po").open("rb") as file:
        return read_po(file, locale="zh_CN")


def test_every_message_is_translated_and_none_is_fuzzy(root: Path, chinese: "babel.Catalog") -> None:
    used = set(messages_in_use(root))
    assert len(used) > 150
    for message in used:
        found = chinese.get(message if isinstance(message, str) else message[0])
        assert found is not None and found.string, f"not translated: {message!r}"
        assert not found.fuzzy, f"fuzzy: {message!r}"


def test_no_translation_is_left_over(root: Path, chinese: "babel.Catalog") -> None:
    used = {m if isinstance(m, str) else m[0] for m in messages_in_use(root)}
    kept = {m.id[0] if m.pluralizable else m.id for m in chinese if m.id}
    assert kept <= used
    assert not chinese.obsolete


def test_placeholders_survive_translation(chinese: "babel.Catalog") -> None:
    for message in chinese:
        source = message.id[0] if message.pluralizable else message.id
        target = message.string[0] if message.pluralizable else message.string
        if source:
            pattern = r"%\(\w+\)s|\{\w+\}"
            assert set(re.findall(pattern, source)) == set(re.findall(pattern, target)), source


def test_a_missing_catalog_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "LOCALE", tmp_path)
    with pytest.raises(CatalogMissing, match="make env"):
        translations(CHINESE)


def test_the_lock_names_exact_versions_and_no_registry(root: Path) -> None:
    web = root / "soc_api/console/web"
    wanted = json.loads((web / "package.json").read_text("utf-8"))["dependencies"]
    lock = json.loads((web / "package-lock.json").read_text("utf-8"))
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())
    packages = {name: each for name, each in lock["packages"].items() if name}
    assert all(each["integrity"].startswith("sha512-") for each in packages.values())
    assert "http" not in json.dumps(lock)


def test_templates_hold_no_inline_script_or_style(root: Path) -> None:
    for template in sorted((root / "soc_api/console/templates").glob("*.html")):
        text = template.read_text("utf-8")
        assert not re.search(r"<style|\sstyle=|<script(?![^>]*\ssrc=)|\son\w+=|hx-on|hx-vals=.js:|\|\s*safe", text), (
            template.name
        )
        assert "http://" not in text and "https://" not in text, template.name
