"""The tables of the page on scale show what the committed report says."""

from __future__ import annotations

import json

from benchmarks import scale


def test_the_tables_are_what_the_report_gives() -> None:
    report = json.loads(scale.REPORT.read_text(encoding="utf-8"))
    written = scale.PAGE.read_text(encoding="utf-8")
    assert written == scale.with_tables(written, report), "run: python -m benchmarks.scale --page"


def test_the_model_is_arithmetic_on_measured_rows() -> None:
    rows = [
        {"name": "plan of few lines", "images": 100, "CPU ms an image": 9.0, "memory of the command (MB)": 700},
        {
            "name": "plan of more lines",
            "images": 1_000_100,
            "CPU ms an image": 0.06,
            "memory of the command (MB)": 800,
        },
        {"name": "5 photographs", "images": 5, "CPU ms an image": 2360.0},
        {"name": "25 photographs", "images": 25, "CPU ms an image": 760.0},
        {"name": "25 photographs", "images": 25, "memory of a process (MB)": 1024, "stored bytes an image": 3000},
    ]
    found = scale.model({"rows": rows})
    assert found["core hours"] == "1,000"  # (25 * 0.76 - 5 * 2.36) s / 20 images = 0.36 s an image
    assert found["machines of 16 cores for one day"] == "2.6"
    assert found["memory of such a machine"] == "16 GB"
    assert found["memory of the command while it plans"] == "1.7 GB"  # 800 MB and 100 bytes for 8,999,900 images
    assert found["time to plan"] == "10 minutes"
    assert found["storage of masks and index"] == "30 GB"
