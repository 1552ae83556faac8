from __future__ import annotations

from collections.abc import Mapping

from underpaint.training.reporter import counting


class Noted:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def start(self, task: str, total: int, done: int) -> None:
        self.told.append(("start", task, total, done))

    def advance(self, done: int, images_per_second: float, values: Mapping[str, float]) -> None:
        assert images_per_second >= 0
        self.told.append(("advance", done, dict(values)))

    def note(self, message: str) -> None:
        self.told.append(("note", message))

    def finish(self) -> None:
        self.told.append(("finish",))


def test_counting_begins_with_the_first_call_and_ends_with_the_last_image() -> None:
    noted = Noted()
    count = counting(noted, "images")
    assert noted.told == []
    count(1, 2)
    count(2, 2)
    assert noted.told == [("start", "images", 2, 0), ("advance", 1, {}), ("advance", 2, {}), ("finish",)]


def test_counting_of_no_image_starts_and_ends() -> None:
    noted = Noted()
    counting(noted, "images")(0, 0)
    assert noted.told == [("start", "images", 0, 0), ("advance", 0, {}), ("finish",)]
