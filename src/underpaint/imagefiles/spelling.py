"""The forms of an image name in files: with folders, an ending, the mark of an upload, or other characters."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

from underpaint.imagefiles.images import SUFFIXES

LONGEST_NAME = 4096
"""Number of characters of the longest path that can be opened. A longer text is not the name of an image."""

DEEPEST = 64
"""Number of folders of a name that are compared, counted from its end."""

UPLOAD = re.compile(r"^[0-9a-f]{8}-(?=.)")
"""The prefix that Label Studio adds to the name of a file that was uploaded in the browser."""

EXPORT = re.compile(r"_(?:jpe?g|png|bmp|tiff?|webp)\.rf\.[0-9A-Za-z]{8,}$")
"""The suffix that Roboflow adds to the name of a file: ``cat.jpg`` becomes ``cat_jpg.rf.0e2a142fc9ab9da3.jpg``."""

_SPLIT = re.compile(r"(?:^|[^a-z])(train|val|test)(?:ing|id|idation)?(?:\d{4})?(?:$|[^a-z])", re.IGNORECASE)


def agree(first: str, second: str) -> bool:
    """Whether two names may mean the same image: one equals the other without folders, ending or upload mark."""
    first, second = tidy(first), tidy(second)
    return first in _shorter(second) or second in _shorter(first)


def _shorter(text: str) -> set[str]:
    tails = set(ends_of(text))
    bare = {without_ending(tail)[0] for tail in tails}
    return tails | bare | {without_marks(tail) for tail in bare if is_marked(tail)}


def tidy(line: str) -> str:
    """A path with '/' between folders, without empty parts and parts called '.'."""
    return "/".join(part for part in line.replace("\\", "/").split("/") if part not in ("", "."))


def without_ending(text: str) -> tuple[str, str]:
    """A path without the ending of an image file, and that ending in lower case (empty if there is none)."""
    stem, dot, ending = text.rpartition(".")
    known = f".{ending.lower()}" in SUFFIXES and not stem.endswith("/") and bool(stem)
    return (stem, f".{ending.lower()}") if dot and known else (text, "")


def bare_names(texts: Iterable[str]) -> dict[str, str]:
    """The names of images without their endings. Names that would become equal keep their endings."""
    bare = {text: without_ending(text)[0] for text in texts}
    used = Counter(bare.values())
    return {text: short if used[short] == 1 else text for text, short in bare.items()}


def split_word(name: str) -> str | None:
    """``train``, ``val`` or ``test`` if the name of a folder or file contains it, as ``train2017`` does; else None."""
    match = _SPLIT.search(name)
    return match[1].lower() if match else None


def ends_of(name: str, start: int = 0) -> Iterator[str]:
    """The name without its first ``start`` folders, and then with one folder less each time (`DEEPEST` at most)."""
    parts = name.split("/")
    return ("/".join(parts[first:]) for first in range(max(start, len(parts) - DEEPEST), len(parts)))


def plain_form(name: str) -> str:
    """A name in one encoding of its characters, with '_' for spaces, which URLs and uploads change."""
    text = unquote(name, errors="strict") if "%" in name and _decodes(name) else name
    return re.sub(r"\s", "_", unicodedata.normalize("NFC", text))


def _decodes(name: str) -> bool:
    try:
        unquote(name, errors="strict")
    except UnicodeDecodeError:
        return False
    return True


def is_marked(name: str) -> bool:
    """Whether Label Studio or Roboflow added a mark to the file name."""
    last = name.rpartition("/")[2]
    return bool(UPLOAD.search(last) or EXPORT.search(last))


def without_marks(name: str) -> str:
    """A name without its upload mark, and with the characters changed as Label Studio and Roboflow change them."""
    folders, slash, last = plain_form(name).rpartition("/")
    last = EXPORT.sub("", UPLOAD.sub("", last))
    return folders + slash + re.sub(r"[^\w.]", "", last.replace("-", "_"))
