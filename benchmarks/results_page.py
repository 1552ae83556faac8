"""Writes docs/results.md from benchmarks/results: ``python benchmarks/results_page.py``.

Which tables the page has, and the remarks beside them, stand in ``benchmarks/results.yaml``. Every number in a table,
and every command and fact below it, is read from the JSON file of the measurement.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "results.md"

Json = dict[str, Any]

NAMES = ("row", "name", "reader", "data", "method")
"""Keys that name a row; the first one that a row has is its name unless the table states another."""

ORDER = {"floor": 0, "method": 1, "ceiling": 2}
"""Rows of a gap report: the floor first, full supervision last."""

FACTS = {"facts", "versions", "machine"}
"""Objects of a report whose members are facts about the measurement, not results."""


def plan() -> Json:
    """What the page shows: an introduction, and sections with their tables."""
    loaded: Json = yaml.safe_load((ROOT / "benchmarks" / "results.yaml").read_text(encoding="utf-8"))
    return loaded


def page() -> str:
    """The whole page as Markdown."""
    shown = plan()
    parts = ["# Results", shown["text"].strip(), "<!-- Made by: python benchmarks/results_page.py -->"]
    for section in shown["sections"]:
        parts += [f"## {section['title']}", *_text(section)]
        for table in section["tables"]:
            parts += _part(table)
    return "\n\n".join(parts) + "\n"


def _part(table: Json) -> Iterator[str]:
    """Heading, table, remarks, command and facts of one table."""
    document: Json = json.loads((RESULTS / table["report"]).read_text(encoding="utf-8"))
    if "title" in table:
        yield f"### {table['title']}"
    yield "\n".join(_lines(table, document))
    yield from _text(table)
    if "title" in table:
        yield "\n".join(_origin(table["report"], document))


def _text(part: Json) -> list[str]:
    return [part["text"].strip()] if "text" in part else []


def _lines(table: Json, document: Json) -> Iterator[str]:
    """A Markdown table with a row for each row of the report that the plan selects."""
    columns: dict[str, str] = table["columns"]
    yield _row(table.get("first", "method"), *columns)
    yield _row(*["---"] * (len(columns) + 1))
    for name, row in rows(table, document):
        yield _row(name, *(cell(row, stated) for stated in columns.values()))


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def rows(table: Json, document: Json) -> list[tuple[str, Json]]:
    """The rows of a table with the names under which they are shown.

    Args:
        table: ``rows`` names the list or the object of rows, or lists the members that are one row each (an empty name
            stands for the report itself); ``where`` selects rows by the values of their members, ``only`` by name;
            ``name`` is the member that names a row; ``names`` gives rows another name.
        document: The report.
    """
    stated = table.get("rows", "rows")
    if isinstance(stated, str) and isinstance(document[stated], Mapping):
        named = list(document[stated].items())
    elif isinstance(stated, str):
        where = table.get("where", {}).items()
        found = [row for row in document[stated] if all(row.get(key) == value for key, value in where)]
        found.sort(key=lambda row: ORDER.get(row.get("role", ""), 1))
        named = [(_name(row, table.get("name")), row) for row in found]
    else:
        named = [(key, document[key] if key else document) for key in stated]
    names = table.get("names", {})
    only = table.get("only", [name for name, _ in named])
    return [(names.get(name, name), row) for name, row in named if name in only]


def _name(row: Json, key: str | None) -> str:
    value = row[key or next(one for one in NAMES if one in row)]
    name = " x ".join(map(str, value)) if isinstance(value, list) else str(value)
    role = {"floor": " (floor)", "ceiling": " (ceiling)"}.get(row.get("role", ""), "")
    return name + role


def cell(row: Json, stated: str) -> str:
    """One value as text.

    Args:
        row: A row of a report.
        stated: The path of the value, its members between ``/``, and after ``|`` how it is written: a format of
            Python, or ``time`` for minutes. A value that the row does not have is an empty cell.
    """
    path, _, spec = stated.partition("|")
    value: Any = row
    for member in path.split("/"):
        value = value.get(member) if isinstance(value, Mapping) else None
    if isinstance(value, list):
        return ", ".join(_written(one, spec) for one in value)
    return "" if value is None else _written(value, spec)


def _written(value: Any, spec: str) -> str:
    if spec == "time":
        hours, minutes = divmod(round(value), 60)
        return f"{hours} h {minutes:02d}" if hours else f"{minutes} min"
    return format(value, spec).replace("%", " %")


def _origin(name: str, document: Json) -> Iterator[str]:
    """The report, its command and its facts, folded away."""
    yield f'<details markdown="1"><summary>Command and facts: {name}</summary>\n'
    yield f"[{name}](../benchmarks/results/{name})\n"
    if "command" in document:
        yield from [*_command(document["command"]), ""]
    yield from (f"- {key}: {value}" for key, value in facts(document))
    yield "\n</details>"


def _command(command: str) -> Iterator[str]:
    """A command as a block, broken before its options."""
    yield "```console"
    yield command.replace(" --", " \\\n    --")
    yield "```"


def facts(document: Json) -> Iterator[tuple[str, str]]:
    """What a report says about its measurement: all that is neither its command nor its results."""
    for key, value in document.items():
        if key == "command":
            continue
        if key in FACTS and isinstance(value, Mapping):
            yield from ((inner, str(one)) for inner, one in value.items())
        elif isinstance(value, str | int | float):
            yield key, str(value)
        elif _plain(value):
            yield key, ", ".join(map(str, value))


def _plain(value: object) -> bool:
    """Whether a value is a list of single values."""
    return isinstance(value, Sequence) and bool(value) and all(isinstance(one, str | int | float) for one in value)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
