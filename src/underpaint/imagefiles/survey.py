"""Examines the images of a data set before a training, and determines the rule by which all of them are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from underpaint.core.errors import ConfigError, DataError, listing
from underpaint.imagefiles.decode import Pixels
from underpaint.imagefiles.opening import about_of, kind_of
from underpaint.imagefiles.photograph import photograph_rgb
from underpaint.imagefiles.readers.base import About
from underpaint.imagefiles.rule import InputImage, ReadingRule, open_input, picture, read_image, spread_of
from underpaint.imagefiles.slices import file_and_slice
from underpaint.imagefiles.window import OUTSIDE, Spread, Window, outside

WindowChoice = Literal["dataset", "image"] | Window | tuple[Window, ...]


@dataclass
class Cut:
    """The number of values outside their window, which become the smallest or the largest value.

    Args:
        values: The number of values in images of more than 8 bits.
        beyond: The number of values outside the window among them.
        images: The number of images of more than 8 bits.
        much: The names of images with more than `OUTSIDE` of their values outside.
    """

    values: int = 0
    beyond: int = 0
    images: int = 0
    much: list[str] = field(default_factory=list)

    def add(self, name: str, shares: Iterable[float], values: int) -> None:
        """Add an image with the fraction of values outside the window in each band."""
        every = list(shares)
        share = sum(every) / len(every)
        self.values += values
        self.beyond += round(share * values)
        self.images += 1
        if share > OUTSIDE:
            self.much.append(name)

    def words(self) -> str:
        """The counts in words; empty if no image has more than 8 bits."""
        if not self.images:
            return ""
        share = self.beyond / max(1, self.values)
        text = f"{self.beyond:,} of {self.values:,} values ({share:.2%}) are outside and become black or white"
        if self.much:
            text += f"; in {len(self.much)} image(s) more than {OUTSIDE:.0%}: {listing(self.much)}"
        return text


def read_counted(name: str, path: Path, rule: ReadingRule, cut: Cut) -> Pixels:
    """Read an image as `read_image` does, and count the values outside the windows in ``cut``."""
    file, number = file_and_slice(path)
    if not rule.bands and number is None and not kind_of(file):
        about = about_of(file)
        if about.dtype == np.uint8:
            return photograph_rgb(file, window=None)
    else:
        about = about_of(path)
    if about.dtype in (np.uint8, np.bool_):
        return read_image(path, rule)
    with open_input(path, rule) as image:
        whole = image.whole()
        count_cut(name, image, cut)
        return whole


def count_cut(name: str, image: InputImage, cut: Cut) -> None:
    """Count the values of an image outside the windows, or those in a regular sample of a large image."""
    if image.about.dtype in (np.uint8, np.bool_):
        return
    windows, shares, total = image.windows, [], 0
    for values in image.parts():
        bands = range(values.shape[2])
        shares.append(sum(outside(values[..., i], windows[i % len(windows)]) for i in bands) / len(bands))
        total += values.size
    cut.add(name, shares, total)


@dataclass(frozen=True)
class Survey:
    """The result of a survey.

    Args:
        rule: The rule by which the images are read.
        kinds: The number of images by the kind of file, with bands and type.
        cut: The number of values outside the windows.
        lacking: The images that do not have all chosen bands, with the bands that they have.
    """

    rule: ReadingRule
    kinds: Counter[str]
    cut: Cut
    lacking: Mapping[str, tuple[str, ...]]

    def notes(self) -> list[str]:
        """Notes for the user before a training; there are none for 8-bit colour images."""
        notes = []
        if self.rule.bands:
            notes.append(
                f"the input of the network has {len(self.rule.bands)} band(s): {', '.join(self.rule.bands)} "
                "(images.bands)"
            )
        if self.cut.images:
            text = f"{self.cut.images} image(s) of more than 8 bits are read with {windows_in_words(self.rule)}"
            notes.append(f"{text} (images.window); {self.cut.words()}")
        return notes


def windows_in_words(rule: ReadingRule) -> str:
    """The windows of a rule, for the user."""
    if rule.windows is None:
        return "a window of their own, from the percentile 0.5 to 99.5 of each"
    words = [f"{low:g} to {high:g}" for low, high in rule.windows]
    if len(words) == 1:
        return f"the window {words[0]}"
    return "the windows " + ", ".join(f"{w} ({b})" for w, b in zip(words, rule.bands or words, strict=False))


def survey(
    images: Mapping[str, Path], *, bands: tuple[str, ...] | Literal["auto"] = "auto", window: WindowChoice = "dataset"
) -> Survey:
    """Read the headers of all images, and the values of those of more than 8 bits.

    If no bands are chosen, grey and colour images are read as colours, and images that all have the same other bands
    with all of these. Images that cannot be read are left out here and reported when they are read.

    Args:
        images: The images by name.
        bands: The names of the bands to use.
        window: ``dataset`` for percentiles over all images, ``image`` for percentiles of each image, or numbers.

    Raises:
        ConfigError: The images have different bands and none are chosen, or there are windows for another number of
            bands.
    """
    abouts = {name: about for name, path in images.items() if (about := _about(path)) is not None}
    chosen = _bands(abouts) if bands == "auto" else bands
    given = _given(window, chosen)
    rule = ReadingRule(chosen, given)
    deep = {name: images[name] for name, about in abouts.items() if about.dtype not in (np.uint8, np.bool_)}
    if given is None and window == "dataset" and deep:
        rule = replace(rule, windows=_common(deep, rule))
    cut = Cut()
    for name, path in deep.items():
        with suppress(DataError), open_input(path, rule) as image:
            count_cut(name, image, cut)
    lacking = {name: about.bands for name, about in abouts.items() if not set(chosen) <= set(about.bands)}
    return Survey(rule, Counter(map(_words, abouts.values())), cut, lacking)


def _about(path: Path) -> About | None:
    try:
        return about_of(path)
    except DataError:
        return None


def _bands(abouts: Mapping[str, About]) -> tuple[str, ...]:
    """The bands that all images have; empty for grey and colour images."""
    others = {name: about.bands for name, about in abouts.items() if not (about.colour or len(about.bands) in (1, 3))}
    if not others:
        return ()
    kinds = Counter(about.bands for about in abouts.values())
    if len(kinds) == 1:
        return next(iter(kinds))
    raise ConfigError(
        f"the images have different bands: {'; '.join(', '.join(names) for names, _ in kinds.most_common(3))}",
        where="images.bands",
        accepted="images that all have the same bands, or a choice that all of them have",
        fix="choose bands: --set images.bands=[NAME,NAME]",
    )


def _given(window: WindowChoice, bands: tuple[str, ...]) -> tuple[Window, ...] | None:
    if isinstance(window, str):
        return None
    windows = window if isinstance(window[0], tuple) else (window,)
    if len(windows) not in (1, len(bands)):
        raise ConfigError(
            f"{len(windows)} windows for {len(bands) or 3} bands",
            where="images.window",
            accepted="one window, or one for each chosen band",
        )
    return windows


def _common(images: Mapping[str, Path], rule: ReadingRule) -> tuple[Window, ...] | None:
    spreads = [Spread() for _ in rule.bands or (0,)]
    for path in images.values():
        with suppress(DataError), open_input(path, rule) as image:
            spread_of(image, rule, spreads)
    windows = [spread.window() for spread in spreads]
    return None if all(w is None for w in windows) else tuple(w or (0.0, 1.0) for w in windows)


def _words(about: About) -> str:
    return f"{about.kind.partition(',')[0]}, {len(about.bands)} band(s) of {about.dtype.name}"


def shown(path: Path, rule: ReadingRule) -> Pixels:
    """(H, W, 3) colours of an image for display, read by the rule of a network."""
    return picture(read_image(path, rule))
