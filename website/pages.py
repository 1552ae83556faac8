"""Hooks of mkdocs: pages that come from the rest of the repository, and what must hold for the finished site.

The front page is the README, the pages of the API reference are made from the modules, and a file of the repository
that a page links to becomes a file of the site. A finished site documents every public class and function, and fetches
nothing from another host.
"""

from __future__ import annotations

import ast
import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src"
LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)")
"""The target of a Markdown link or picture, without its anchor; addresses and links within the page are left out."""

UNDER_NAME = "\n    options: {show_root_heading: false, heading_level: 4, skip_local_inventory: true}"
"""Options for an object below a heading with the name under which users import it."""

ELSEWHERE = re.compile(
    r"""<(?:script|img|iframe|source)[^>]*\ssrc=["']?https?:|<link[^>]*rel=["']?(?:stylesheet|preconnect|icon)[^>]*https?:
    |@import\s+(?:url\()?["']?https?:|url\(["']?https?:""",
    re.IGNORECASE | re.VERBOSE,
)
"""What makes a browser fetch something from another host."""


def on_config(config: MkDocsConfig) -> None:
    """Give the reference its place in the navigation."""
    assert config.nav is not None
    config.nav.append({"Reference": [{name: f"reference/{name}.md"} for name in sorted(rooms())]})


def on_files(files: Files, *, config: MkDocsConfig) -> None:
    """Add the front page, the reference, and the files of the repository that pages link to."""
    files.append(File.generated(config, "index.md", content=(ROOT / "README.md").read_text(encoding="utf-8")))
    for name, modules in rooms().items():
        files.append(File.generated(config, f"reference/{name}.md", content=reference(name, modules)))
    waiting = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    for path in waiting:  # grows by the pages that pages link to
        for target in linked(path):
            if files.get_file_from_path(site_path(target)) is None:
                files.append(File.generated(config, site_path(target), abs_src_path=str(ROOT / target)))
                waiting += [ROOT / target] if target.endswith(".md") else []


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links of a page as they are on the site."""
    del config, files
    here = repository_path(page.file.src_uri)
    folder = PurePosixPath(page.file.src_uri).parent

    def moved(match: re.Match[str]) -> str:
        target = site_path(resolved(here, match[1]))
        return "](" + os.path.relpath(target, folder)

    return LINK.sub(moved, markdown)


def on_post_build(*, config: MkDocsConfig) -> None:
    """Refuse a site that leaves public names out, or that fetches from another host. Raises `PluginError`."""
    site = Path(config.site_dir)
    if missing := sorted(public_names() - documented(site / "objects.inv")):
        raise PluginError(f"not in the API reference: {', '.join(missing)}")
    if fetching := sorted(str(path.relative_to(site)) for path in site.rglob("*.html") if fetches(path)):
        raise PluginError(f"pages that fetch from another host: {', '.join(fetching)}")


def linked(path: Path) -> Iterator[str]:
    """Files outside of docs/ that a page links to, as paths in the repository."""
    here = path.relative_to(ROOT).as_posix()
    for target in LINK.findall(path.read_text(encoding="utf-8")):
        found = resolved(here, target)
        if not found.startswith("docs/") and found != "README.md" and (ROOT / found).is_file():
            yield found


def resolved(page: str, target: str) -> str:
    """What a link of a page means, as a path in the repository; a folder stands for its README."""
    found = os.path.normpath(PurePosixPath(page).parent / target)
    return f"{found}/README.md" if (ROOT / found / "README.md").is_file() else found


def site_path(path: str) -> str:
    """Where a file of the repository lies among the site's sources."""
    return "index.md" if path == "README.md" else path.removeprefix("docs/")


def repository_path(uri: str) -> str:
    """Where a source of the site lies in the repository; pages that were made count as in docs/."""
    if uri == "index.md":
        return "README.md"
    return uri if (ROOT / uri).is_file() else f"docs/{uri}"


def rooms() -> dict[str, list[str]]:
    """Modules by room: the packages of underpaint, and under ``underpaint`` the modules beside them."""
    found: dict[str, list[str]] = {}
    for path in sorted((SOURCE / "underpaint").rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        if parts[-1] == "__main__":
            continue
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        inner = len(parts) > 2
        found.setdefault(parts[1] if inner else "underpaint", []).append(module)
    return found


def reference(name: str, modules: list[str]) -> str:
    """The page of a room: every module with its public names; first the library itself, name by name."""
    title = name if name == "underpaint" else f"underpaint.{name}"
    parts = [f"# {title}"]
    for module in modules:
        parts += [f"## {module} {{ #module-{module} }}", f"::: {module}"]
        if module == "underpaint":
            parts[-1] += "\n    options: {members: false}"
            parts += [f"### underpaint.{short}\n\n::: {full}{UNDER_NAME}" for short, full in sorted(library().items())]
    return "\n\n".join(parts)


def library() -> dict[str, str]:
    """Names that ``import underpaint`` gives, and where each is defined, from the imports for type checkers."""
    tree = ast.parse((SOURCE / "underpaint" / "__init__.py").read_text("utf-8"))
    lines = [line for node in tree.body if isinstance(node, ast.If) for line in node.body]
    imports = [line for line in lines if isinstance(line, ast.ImportFrom)]
    return {name.name: f"{line.module}.{name.name}" for line in imports for name in line.names}


def public_names() -> set[str]:
    """Public classes and functions of all modules by their full names, read from the sources."""
    found = set()
    for modules in rooms().values():
        for module in modules:
            path = SOURCE.joinpath(*module.split("."))
            tree = ast.parse((path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text("utf-8"))
            kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
            found |= {f"{module}.{one.name}" for one in tree.body if isinstance(one, kinds) and one.name[0] != "_"}
    return found


def documented(inventory: Path) -> set[str]:
    """The names in the inventory of the site: four lines of text, then compressed lines that begin with a name."""
    lines = inventory.read_bytes().split(b"\n", 4)[4]
    return {line.split(" ", 1)[0] for line in zlib.decompress(lines).decode().splitlines()}


def fetches(page: Path) -> bool:
    """Whether a browser that shows the page fetches something from another host."""
    return ELSEWHERE.search(page.read_text(encoding="utf-8")) is not None
