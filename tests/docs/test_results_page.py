"""The page of results shows what the committed reports say."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks import results_page

REPORTS = {path.name for path in results_page.RESULTS.glob("*.json")}


def test_the_page_is_what_the_reports_give() -> None:
    written = results_page.PAGE.read_text(encoding="utf-8")
    assert written == results_page.page(), "run: python benchmarks/results_page.py"


def test_every_report_is_on_the_page() -> None:
    shown = {table["report"] for section in results_page.plan()["sections"] for table in section["tables"]}
    assert shown == REPORTS, "name every report in benchmarks/results.yaml"


def test_commands_name_no_machine() -> None:
    for path in results_page.RESULTS.glob("*.json"):
        command = json.loads(path.read_text(encoding="utf-8")).get("command", "")
        assert not [word for word in command.split() if Path(word).is_absolute()], path.name


def test_cells_are_written_as_stated() -> None:
    row = {"miou": 77.88, "seeds": [78.04, 78.5], "share": 0.6512, "minutes": 261.58, "short": 44.2, "in": {"cat": 7}}
    stated = ["miou|.1f", "seeds|.1f", "share|.1%", "minutes|time", "short|time", "in/cat|d", "in/dog|d", "none|.1f"]
    assert [results_page.cell(row, one) for one in stated] == [
        "77.9", "78.0, 78.5", "65.1 %", "4 h 22", "44 min", "7", "", "",
    ]  # fmt: skip


def test_rows_are_selected_named_and_ordered() -> None:
    report = {
        "rows": [
            {"method": "a", "role": "ceiling"},
            {"method": "b", "role": "method"},
            {"method": "c", "role": "floor"},
        ],
        "before": {"seconds": 1},
        "seconds": 2,
    }
    assert [name for name, _ in results_page.rows({}, report)] == ["c (floor)", "b", "a (ceiling)"]
    table = {"only": ["b"], "names": {"b": "the method"}}
    assert results_page.rows(table, report) == [("the method", {"method": "b", "role": "method"})]
    whole = results_page.rows({"rows": ["", "before"], "names": {"": "now"}}, report)
    assert [(name, row["seconds"]) for name, row in whole] == [("now", 2), ("before", 1)]
