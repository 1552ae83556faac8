"""The report of the doctor on the terminal. Control characters in names from files are shown as escapes."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from underpaint.core.errors import printable
from underpaint.doctor.findings import Finding, Level
from underpaint.doctor.report import Report

STYLES = {Level.BLOCKS: "bold red", Level.WARNS: "yellow", Level.NOTES: "cyan"}


def show(report: Report) -> None:
    """Print a summary of the data set, the findings (the most serious first), and the needs of a training."""
    console = Console()
    for line in _summary(report):
        console.print(Text(printable(line)))
    if report.balance:
        console.print(_balance(report))
    for finding in report.findings:
        console.print(_paragraph(finding))
    counts = [sum(finding.level is level for finding in report.findings) for level in Level]
    verdict = "a training would fail or give a useless result" if report.blocks else "a training can start"
    console.print(Text(f"{counts[0]} errors, {counts[1]} warnings, {counts[2]} notes: {verdict}", style="bold"))


def _summary(report: Report) -> list[str]:
    if not report.images:
        return [f"{report.data}: not opened"]
    splits = ", ".join(f"{name} {count}" for name, count in report.splits.items())
    lines = [f"{report.data}: {report.images} images; splits: {splits}; {len(report.classes)} classes"]
    lines += [f"{path}: {form}" for path, form in report.sources]
    mixtures = ", ".join(f"{count} with {kinds}" for kinds, count in report.mixtures.items()) or "none"
    lines.append(f"labels of split {report.split}: {mixtures}")
    if report.estimate is not None and report.labelled:
        e = report.estimate
        lines.append(
            f"a training with default settings: about {e.minutes:g} minutes on {e.cores} cores without a GPU, "
            f"{e.megabytes} MB of memory ({e.steps} steps per stage, {e.batch} crops of {e.crop[0]} x {e.crop[1]} each)"
        )
    return lines


def _balance(report: Report) -> Table:
    table = Table("class", "images", "known without", "labelled pixels")
    for row in report.balance:
        cells = (str(row["images"]), str(row["negatives"]), f"{row['share']:.1%}")
        table.add_row(Text(printable(row["class"])), *cells)
    return table


def _paragraph(finding: Finding) -> Text:
    text = Text.assemble((f"{finding.level.value:8s}", STYLES[finding.level]), printable(finding.what))
    if finding.names:
        text.append(f"\n        {printable(finding.listing())}", style="dim")
    for word, said in (("cause", finding.cause), ("fix", finding.fix)):
        if said:
            text.append(f"\n        {word}: {printable(said)}")
    return text
