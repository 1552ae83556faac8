"""The measurable rows of the review of the house, for one or more commits: lines, files, functions, names, marks.

    python -m benchmarks.house d0ec773 HEAD -o benchmarks/results/house.json

Lines are those of ``*.py`` in ``src`` and ``tests``. A function is measured without its docstring, from its first
statement to its last. Public are top-level classes and functions without a leading underscore.
"""

from __future__ import annotations

import argparse
import ast
import io
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np
from benchmarks.reports import origin, write

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Figure: TypeAlias = int | float | str


def files(commit: str, folder: str) -> dict[str, str]:
    """The Python files of a folder at a commit, by path."""
    packed = subprocess.run(["git", "archive", commit, folder], capture_output=True, check=True).stdout
    found = {}
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        for member in archive:
            if member.isfile() and member.name.endswith(".py") and (file := archive.extractfile(member)) is not None:
                found[member.name] = file.read().decode()
    return found


def body(function: Function) -> int:
    """Lines of a function's statements, without its docstring; 0 where it has no others."""
    statements = function.body[ast.get_docstring(function, clean=False) is not None :]
    return (statements[-1].end_lineno or 0) - statements[0].lineno + 1 if statements else 0


def documented(tree: ast.Module) -> Iterator[bool]:
    """For the module, and for each public class, function and method: whether it has a docstring."""
    yield ast.get_docstring(tree) is not None
    for node in tree.body:
        if isinstance(node, ast.ClassDef | Function) and not node.name.startswith("_"):
            yield ast.get_docstring(node) is not None
            if isinstance(node, ast.ClassDef):
                inner = (each for each in node.body if isinstance(each, Function) and not each.name.startswith("_"))
                yield from (ast.get_docstring(each) is not None for each in inner)


def spread(values: list[int]) -> tuple[int, int, int]:
    """Median, 90th percentile and greatest."""
    return int(np.median(values)), int(np.percentile(values, 90)), max(values)


def measure(commit: str) -> dict[str, Figure]:
    """All figures of a commit."""
    source, tests = files(commit, "src"), files(commit, "tests")
    trees = [ast.parse(text) for text in source.values()]
    lengths = [len(text.splitlines()) for text in source.values()]
    functions = [body(node) for tree in trees for node in ast.walk(tree) if isinstance(node, Function)]
    top = [node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef | Function)]
    stated = [each for tree in trees for each in documented(tree)]
    text, test_lines = "\n".join(source.values()), sum(len(each.splitlines()) for each in tests.values())
    named = subprocess.run(["git", "rev-parse", "--short", commit], capture_output=True, check=True, text=True)
    length, function = spread(lengths), spread(functions)
    return {
        "row": named.stdout.strip(),
        "lines of src": sum(lengths),
        "files of src": len(lengths),
        "lines of tests": test_lines,
        "tests to code": round(test_lines / sum(lengths), 2),
        "file, median": length[0],
        "file, 90 %": length[1],
        "file, longest": length[2],
        "files up to 60 lines": sum(lines <= 60 for lines in lengths),
        "functions": len(functions),
        "function, median": function[0],
        "function, 90 %": function[1],
        "function, longest": function[2],
        "public names": sum(not node.name.startswith("_") for node in top),
        "private names": sum(node.name.startswith("_") for node in top),
        "public without docstring": stated.count(False),
        "type: ignore": text.count("# type: ignore"),
        "noqa": text.count("# noqa"),
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commits", nargs="+")
    parser.add_argument("-o", "--out", type=Path)
    asked = parser.parse_args()
    measured = [measure(commit) for commit in asked.commits]
    for row in measured:
        print(row)
    write({**origin(), "rows": measured}, asked.out)


if __name__ == "__main__":
    main()
