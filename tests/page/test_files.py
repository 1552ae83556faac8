"""What the page's files must be: small, with nothing from elsewhere, and without a way to make markup of a name."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.page.conftest import PAGE

FILES = sorted(path for path in PAGE.rglob("*") if path.is_file())
LIMIT = 300_000

MARKUP = re.compile(
    r"\b(innerHTML|outerHTML|insertAdjacentHTML|createContextualFragment|DOMParser|setHTML\w*|srcdoc)\b"
    r"|\bdocument\s*\.\s*write|\beval\s*\(|\bnew\s+Function\b|set(?:Timeout|Interval)\s*\(\s*[\"'`]"
)
ELSEWHERE = re.compile(r"(?:https?:)?//[\w-]+\.[\w.-]+")
NAMESPACE = "http://www.w3.org/2000/svg"
"""The name of a vocabulary, which no browser fetches."""


def test_the_page_is_small() -> None:
    assert sum(path.stat().st_size for path in FILES) < LIMIT


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_text_becomes_markup_and_nothing_comes_from_elsewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not MARKUP.search(text)
    assert not ELSEWHERE.findall(text.replace(NAMESPACE, ""))


def test_the_rule_finds_what_it_forbids() -> None:
    for line in ("a.innerHTML = name", "document.write(x)", "eval(x)", "setTimeout('x()')", "a.srcdoc = x"):
        assert MARKUP.search(line)
    assert ELSEWHERE.search('import x from "https://cdn.example.org/x.js"')


def test_the_document_has_no_script_and_no_style_of_its_own() -> None:
    """The content policy would refuse them."""

    class Inline(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            names = dict(attrs)
            assert not [name for name in names if name.startswith("on") or name == "style"], tag
            assert tag != "style"
            assert tag != "script" or names.get("src")

    Inline().feed((PAGE / "index.html").read_text(encoding="utf-8"))
