"""Training samples as a function of (seed, epoch, image), and what is said of data that cannot be used."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader

from underpaint.core.classes import VOID, ClassTable
from underpaint.core.errors import ConfigError, DataError, HintError
from underpaint.data.hinted import Cache, HintedImages
from underpaint.data.pseudo import PseudoLabels
from underpaint.data.samples import Sample, collate
from underpaint.data.sampling import Sampling, SamplingConfig, certain, marked
from underpaint.data.views import ViewConfig
from underpaint.datasets.folder import DataFolder, open_folder
from underpaint.hints.rasterise import UNKNOWN
from underpaint.hints.types import IGNORED, Bitmap, Box, Click, Hints, Kind, Polygon, Scribble, Tags
from underpaint.imagefiles.masks import write_index_mask

SIZE = (40, 52)
NAMES = tuple(f"im{i}" for i in range(6))
VIEWS = ViewConfig(crop=(32, 32))


def write_folder(root: Path) -> DataFolder:
    """Six photographs of noise in blocks, each with a mask of four quarters."""
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    (root / "classes.txt").write_text("background\ncat\ndog\n")
    table = ClassTable.of(["background", "cat", "dog"])
    for i, name in enumerate(NAMES):
        rng = np.random.default_rng(i)
        blocks = rng.integers(0, 256, (SIZE[0] // 4, SIZE[1] // 4, 3)).astype(np.uint8)
        Image.fromarray(blocks.repeat(4, axis=0).repeat(4, axis=1)).save(root / "images" / f"{name}.png")
        quarters = rng.integers(0, 3, (2, 2)).astype(np.uint8)
        write_index_mask(root / "masks" / f"{name}.png", np.kron(quarters, np.ones((20, 26), np.uint8)), table)
    return open_folder(root)


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    return write_folder(tmp_path / "data")


def mixture() -> dict[str, Hints]:
    """One image for every kind of hint, and one for several at once."""
    return {
        "im0": Hints("im0", size=SIZE, shapes=(Click("cat", 10.5, 8.5), Click("background", 40.2, 30.9))),
        "im1": Hints("im1", shapes=(Scribble("dog", ((5, 5), (30, 20))),)),
        "im2": Hints("im2", shapes=(Box("cat", 4, 4, 30, 30),), boxed=frozenset({"cat", "dog"})),
        "im3": Hints("im3", tags=Tags(frozenset({"cat"}), frozenset({"dog"}))),
        "im4": Hints("im4", mask="masks/im4.png"),
        "im5": Hints("im5", shapes=(Click("dog", 3, 3),), tags=Tags(frozenset({"dog"}))),
    }


def test_certain_labels_are_a_mask_or_strokes_and_no_box(data: DataFolder) -> None:
    boxed = Hints("im2", shapes=(Click("cat", 9, 9), Box("cat", 4, 4, 30, 30)))
    held = images(data, mixture() | {"im2": boxed})
    assert [name for name in held.names if certain(held.hints[name])] == ["im0", "im1", "im4", "im5"]
    assert [name for name in held.names if marked(held.hints[name])] == ["im0", "im1", "im2", "im4", "im5"]
    drawn = Sampling.of(held, SamplingConfig(certain_share=0.3, by_labels=False))
    assert drawn == Sampling((0, 1, 4, 5), 0.3, None)


def test_in_a_mixture_images_are_drawn_by_their_labelled_pixels(data: DataFolder) -> None:
    held = images(data)
    strokes = int((held.training_image("im1").seeds != UNKNOWN).sum())
    assert strokes > 50
    expected = [2 / 12, strokes / (strokes + 10), 1, 1 / 11, 1, 1 / 11]  # clicks, strokes, a box, tags, a mask, a click
    assert Sampling.of(held, SamplingConfig()).weights == pytest.approx(np.array(expected))


def test_images_with_one_kind_of_hint_are_drawn_alike(data: DataFolder) -> None:
    clicks = (Click("cat", 9, 9), Click("dog", 20, 20), Click("dog", 22, 20))
    named = Tags(frozenset({"cat"}))
    one_kind = {f"im{n}": Hints(f"im{n}", shapes=clicks[:n], tags=named if n == 2 else None) for n in (1, 2, 3)}
    assert Sampling.of(images(data, one_kind), SamplingConfig()) == Sampling((), 0.0, None)


def images(data: DataFolder, hints: Mapping[str, Hints] | None = None, **changes: Any) -> HintedImages:
    settings: dict[str, Any] = {"seed": 0} | changes
    views = settings.pop("views", VIEWS)
    return HintedImages(data, mixture() if hints is None else hints, views, **settings)


def equal(one: Sample, other: Sample) -> bool:
    """Bit for bit."""
    pairs = [(getattr(one, name), getattr(other, name)) for name in vars(one)]
    return all(
        torch.equal(a, b) if isinstance(a, Tensor) and isinstance(b, Tensor) else np.array_equal(a, b) for a, b in pairs
    )


def test_a_sample_is_a_function_of_its_key(data: DataFolder) -> None:
    one, other = images(data), images(data, views=VIEWS.model_copy(update={"cache_mb": 0}))
    keys = [(epoch, index) for epoch in (0, 1, 7) for index in range(len(NAMES))]
    first = {key: one[key] for key in keys}
    np.random.seed(5)  # noqa: NPY002  # the global state is what must not matter
    torch.manual_seed(5)
    for key in reversed(keys):
        assert equal(other[key], first[key]), f"{key} depends on order, memory or global state"
        assert equal(one[key], first[key]), f"{key} changes when it is drawn again"
    assert not equal(first[0, 0], first[1, 0])
    assert not equal(images(data, seed=1)[0, 0], first[0, 0])


def test_a_sample_does_not_depend_on_the_other_images(data: DataFolder) -> None:
    alone = images(data, {"im3": mixture()["im3"]})
    assert equal(alone[2, 0], images(data)[2, 3])


@pytest.mark.parametrize("workers", [1, 2])
def test_loading_processes_make_the_same_batches(data: DataFolder, workers: int) -> None:
    mean, std = torch.tensor([0.4, 0.5, 0.6]), torch.ones(3)
    keys = [[(0, 1), (0, 4)], [(0, 0), (1, 2)], [(3, 5), (3, 3)]]
    collated = partial(collate, mean=mean, std=std)
    loader = DataLoader(images(data), batch_sampler=keys, num_workers=workers, collate_fn=collated)
    here = images(data)
    for batch, its in zip(loader, keys, strict=True):
        expected = collated([here[key] for key in its])
        assert batch.ids == expected.ids
        for name, value in vars(expected).items():
            if isinstance(value, Tensor):
                assert torch.equal(getattr(batch, name), value), name
        assert all(torch.equal(a, b) for a, b in zip(batch.boxes, expected.boxes, strict=True))


def test_samples_hold_what_the_hints_say(data: DataFolder) -> None:
    made = images(data)
    for epoch in range(20):
        click, stroke, box, tags, mask, both = (made[epoch, i] for i in range(6))
        for sample in (click, stroke, box, tags, mask, both):
            assert (sample.rgb.shape, sample.rgb.dtype) == ((3, 32, 32), torch.float32)
            assert sample.candidates.shape == (32, 32)
            assert 0 <= sample.rgb.min() <= sample.rgb.max() <= 1
            assert (sample.rgb[:, ~sample.valid] == 0).all()
            assert sample.soft is None
        one_candidate = click.sets.sum(axis=1) == 1
        assert 1 <= one_candidate[click.candidates].sum() <= 2, "a click is one pixel"
        assert ((stroke.sets.sum(axis=1) == 1)[stroke.candidates]).sum() >= 1
        assert box.boxes.shape == (1, 4)
        assert tags.sets.tolist() == [[True, True, False]]
        assert (tags.tags.tolist(), tags.tags_known.tolist()) == ([False, True, False], [False, True, True])
        whole = mask.sets[mask.candidates].sum(axis=2)
        assert ((whole == 1) == mask.valid.numpy()).all(), "a full mask leaves no pixel of the image unknown"
        assert both.sets[0].all(), "tags that leave classes open leave them as candidates"


def test_a_hint_is_in_every_crop(data: DataFolder) -> None:
    """Crops of 32 from an image of up to 78: a click in the corner is seen, whatever the window."""
    hints = {"im0": Hints("im0", shapes=(Click("cat", 51.5, 0.5),))}
    made = images(data, hints, views=VIEWS.model_copy(update={"scales": (1.2, 1.5)}))
    for epoch in range(100):
        sample = made[epoch, 0]
        assert ((sample.sets.sum(axis=1) == 1)[sample.candidates] & sample.valid.numpy()).sum() == 1


def test_half_of_the_crops_may_lie_beside_complete_boxes(data: DataFolder) -> None:
    """A box in the corner is in every crop if it alone teaches, and in half of them if the rest is background."""
    box = (Box("cat", 48, 0, 52, 4),)
    every = frozenset(data.classes.names) - {"background"}
    shares = []
    for boxed in (frozenset({"cat"}), every):
        made = images(data, {"im0": Hints("im0", shapes=box, boxed=boxed)}, views=VIEWS)
        samples = [made[epoch, 0] for epoch in range(300)]
        sees = [bool(((one.sets[one.candidates][..., 1]) & one.valid.numpy()).any()) for one in samples]
        shares.append(np.mean(sees))
    assert shares[0] == 1
    assert 0.5 < shares[1] < 0.75


def test_few_labelled_pixels_of_a_label_image_are_in_every_crop(data: DataFolder) -> None:
    labels = np.full(SIZE, VOID, np.uint8)
    labels[38:, :2] = 0  # with grey levels 0 and 255 alone, which in hints are background and unknown
    Image.fromarray(labels).save(data.root / "sparse.png")
    hints = {"im0": Hints("im0", mask="sparse.png")}
    made = images(data, hints, views=VIEWS.model_copy(update={"scales": (1.2, 1.5)}))
    for epoch in range(100):
        sample = made[epoch, 0]
        seeds = sample.sets[sample.candidates]
        assert (seeds.sum(axis=2) == 1).any()
        assert seeds[..., 0].all()


def test_a_full_mask_does_not_pull_the_crops(data: DataFolder) -> None:
    """The same windows as without any hint."""
    masked, bare = images(data, {"im4": mixture()["im4"]}), images(data, {"im4": Hints("im4")})
    assert all(torch.equal(masked[epoch, 0].rgb, bare[epoch, 0].rgb) for epoch in range(10))


def test_jitter_keeps_padding_black_and_can_be_off(data: DataFolder) -> None:
    bright = images(data, views=ViewConfig(crop=(64, 64), colour_jitter=0.9))
    plain = images(data, views=ViewConfig(crop=(64, 64), colour_jitter=0.0))
    for epoch in range(5):
        one, other = bright[epoch, 0], plain[epoch, 0]
        assert torch.equal(one.valid, other.valid)
        assert not one.valid.all()
        assert (one.rgb[:, ~one.valid] == 0).all()
        assert not torch.equal(one.rgb, other.rgb)


def test_memory_is_bounded_and_what_it_holds_is_never_changed(data: DataFolder) -> None:
    views = VIEWS.model_copy(update={"scales": (1.0, 1.0), "crop": SIZE, "flip": False, "colour_jitter": 0.0})
    hints = {n: Hints(n, mask=f"masks/{n}.png", shapes=(Click("cat", 9.5, 9.5),)) for n in NAMES}
    made = images(data, hints, views=views)
    bytes_an_image = SIZE[0] * SIZE[1] * 4  # three of the photograph, one of the mask
    made._cache.limit = 3 * bytes_an_image
    first = [made[0, i] for i in range(6)]
    held = {key: value.copy() for key, value in made._cache.items.items()}
    assert made._cache.used == sum(value.nbytes for value in held.values()) == 3 * bytes_an_image
    assert all(equal(made[0, i], first[i]) for i in range(6))
    assert all(np.array_equal(made._cache.items[key], value) for key, value in held.items())
    nothing = images(data, views=VIEWS.model_copy(update={"cache_mb": 0}))
    nothing[0, 0]
    assert nothing._cache.used == 0


def test_cache_keeps_what_fits() -> None:
    cache = Cache(limit=100)
    for i, size in enumerate((60, 50, 40, 1)):
        cache.put(str(i), np.zeros(size, np.uint8))
    assert sorted(cache.items) == ["0", "2"]
    assert cache.used == 100


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def test_unreadable_photographs_are_named_and_the_rest_is_intact(
    data: DataFolder, caplog: pytest.LogCaptureFixture
) -> None:
    """One is no image at all, one is cut off behind its header and shows it only when it is drawn."""
    before = images(data)
    expected = {name: before[3, i] for i, name in enumerate(before.names)}
    data.images["im1"].write_bytes(b"no image")
    cut(data.images["im3"])
    with caplog.at_level(logging.WARNING):
        made = images(data)
        assert list(made.unreadable) == ["im1"]
        assert made.names == ("im0", "im2", "im3", "im4", "im5")
        assert len(made) == 5
        drawn = [made[3, i] for i in range(5)]
    assert [sample.image for sample in drawn] == ["im0", "im2", "im4", "im4", "im5"]
    assert all(equal(sample, expected[sample.image]) for sample in drawn)
    assert sorted(made.unreadable) == ["im1", "im3"]
    assert "im1.png" in caplog.text
    assert "im3.png" in made.unreadable["im3"]
    assert "cannot be decoded" in made.unreadable["im3"]
    assert caplog.text.count("im3.png") == 1, "it is not decoded again and again"


def test_what_is_no_file_is_skipped_with_its_reason(data: DataFolder) -> None:
    for name, target in (("im0", None), ("im2", "/dev/zero")):
        data.images[name].unlink()
        if target is None:
            os.mkfifo(data.images[name])
        else:
            data.images[name].symlink_to(target)
    again = images(data)
    assert again.names == ("im1", "im3", "im4", "im5")
    assert "a named pipe" in again.unreadable["im0"]
    assert "a device" in again.unreadable["im2"]


def test_an_oversized_photograph_is_skipped_as_well(data: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("L", (3000, 1100)).save(data.images["im0"])
    monkeypatch.setattr("underpaint.data.hinted.image_size", partial(_size, limit=1_000_000))
    made = images(data)
    assert "3000 x 1100" in made.unreadable["im0"]
    assert len(made) == 5


def _size(path: Path, *, limit: int) -> tuple[int, int]:
    from underpaint.imagefiles.images import image_size

    return image_size(path, max_pixels=limit)


def test_nothing_readable_says_why(data: DataFolder) -> None:
    hints = {name: mixture()[name] for name in ("im0", "im1")}
    for name in hints:
        cut(data.images[name])
    made = images(data, hints)
    with pytest.raises(DataError, match=r"none of the 2 images can be read\n(.|\n)*im[01]\.png"):
        made[0, 1]
    for name in hints:
        data.images[name].write_bytes(b"no image")
    with pytest.raises(DataError, match=r"no image can be used(.|\n)*im0\.png"):
        images(data, hints)
    with pytest.raises(DataError, match="the hints name no image"):
        images(data, {})


@pytest.mark.parametrize(
    ("hints", "kind", "said"),
    [
        (
            Hints("im0", size=(52, 40)),
            DataError,
            r"made on 40x52 pixels, the image has 52x40\n.*'im0'\n.*never stretched",
        ),
        (
            Hints("im0", shapes=(Click("cat", 60, 5),)),
            HintError,
            r"outside the image.*x=60, y=5\n.*'im0', 52x40 pixels",
        ),
        (Hints("im0", shapes=(Box("cat", 0, 0, 5, 45),)), HintError, r"outside the image.*y=45"),
        (Hints("im0", shapes=(Click("cta", 1, 1),)), HintError, r"unknown class 'cta'\n.*'im0'(.|\n)*'cat'"),
        (
            Hints("im0", shapes=(Click("cat", 1, 1),), tags=Tags(absent=frozenset({"cat"}))),
            HintError,
            r"cat: drawn or tagged as present, but also stated to be absent\n.*'im0'",
        ),
        (Hints("im0", mask="masks/im9.png"), DataError, r"missing\n.*im9\.png"),
        (
            Hints("im0", mask="small.png"),
            DataError,
            r"mask has 52x39 pixels, its image 52x40\n.*small\.png\n.*never resized",
        ),
        (Hints("im10"), DataError, r"no image 'im10'\n(.|\n)*did you mean 'im[01]'"),
    ],
)
def test_hints_that_do_not_fit_are_refused_at_once(
    data: DataFolder, hints: Hints, kind: type[Exception], said: str
) -> None:
    write_index_mask(data.root / "small.png", np.zeros((39, 52), np.uint8), data.classes)
    with pytest.raises(kind, match=said):
        images(data, {hints.image: hints})


def test_numbers_outside_the_table_stop_with_their_count(data: DataFolder) -> None:
    wrong = np.zeros(SIZE, np.uint8)
    wrong[:2, :3] = 7
    Image.fromarray(wrong).save(data.root / "masks" / "im4.png")
    made = images(data, {"im4": mixture()["im4"]})
    with pytest.raises(DataError, match=r"7 \(6 pixels\)\n.*im4\.png"):
        made[0, 0]


def test_a_mask_with_an_exif_tag_is_not_turned(data: DataFolder) -> None:
    """Programs copy the photograph's tag into the mask that they draw upright; sizes are compared as stored."""
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(data.masks["im4"]) as mask:
        mask.save(data.masks["im4"], exif=exif)
    sample = images(data, {"im4": mixture()["im4"]})[0, 0]
    assert ((sample.sets.sum(axis=1) == 1)[sample.candidates] == sample.valid.numpy()).all()


def test_a_turned_photograph_has_its_hints_upright(data: DataFolder) -> None:
    """Stored lying, tagged to be turned: hints are in the coordinates of the upright image of 52 x 40."""
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(data.images["im0"]) as upright:
        upright.transpose(Image.Transpose.ROTATE_90).save(data.images["im0"], exif=exif)
    turned = images(data)
    assert turned.unreadable == {}
    assert turned.training_image("im0").rgb.shape == (*SIZE, 3)
    assert equal(turned[0, 0], images(data)[0, 0])
    with pytest.raises(DataError, match="made on"):
        images(data, {"im0": replace(mixture()["im0"], size=(52, 40))})


def test_labels_of_an_earlier_stage(data: DataFolder, tmp_path: Path) -> None:
    """They fill what a person left open, and stand aside where a person spoke."""
    store = PseudoLabels(tmp_path / "artifact", data.classes)
    for name in ("im0", "im4"):
        store.write_labels(name, np.full(SIZE, 2, np.uint8))
    soft = np.zeros((3, 5, 6), np.float32)
    soft[1] = 1
    store.write_soft("im1", soft)
    made = images(data, pseudo=store)
    click, stroke, mask = made[0, 0], made[0, 1], made[0, 4]
    valid = click.valid.numpy()
    found = click.sets[click.candidates].argmax(axis=2)
    assert ((click.sets.sum(axis=1) == 1)[click.candidates] == valid).all()
    assert set(np.unique(found[valid])) <= {0, 1, 2}
    assert (found[valid] != 2).sum() <= 2, "all but the clicks"
    own = images(data)[0, 4]
    assert np.array_equal(mask.sets[mask.candidates], own.sets[own.candidates])
    assert click.soft is None
    assert stroke.soft is not None
    assert (stroke.soft[1] == stroke.valid).all()
    assert (stroke.soft[[0, 2]] == 0).all()


def test_an_image_at_rest_shows_what_a_person_said_and_labels_elsewhere(data: DataFolder, tmp_path: Path) -> None:
    store = PseudoLabels(tmp_path / "artifact", data.classes)
    store.write_labels("im0", np.full(SIZE, 2, np.uint8))
    filled = images(data, pseudo=store).training_image("im0")
    made = images(data)
    still = made.training_image("im0")
    assert np.array_equal(filled.seeds, np.where(still.seeds == UNKNOWN, 2, still.seeds)), "a fitted stage learns both"
    assert np.argwhere(still.seeds != UNKNOWN).tolist() == [[8, 10], [30, 40]]
    assert (still.seeds[8, 10], still.seeds[30, 40]) == (1, 0)
    with Image.open(data.images["im0"]) as photo:
        assert np.array_equal(still.rgb, np.asarray(photo))
    assert still.hints is made.hints["im0"]
    assert made.training_image("im3").allowed.tolist() == [True, True, False]
    with Image.open(data.masks["im4"]) as mask:
        assert np.array_equal(made.training_image("im4").seeds, np.asarray(mask))


@pytest.mark.parametrize("scales", [(0.0, 1.0), (-1.0, 1.0), (1.5, 0.5)])
def test_scales_must_be_a_range(scales: tuple[float, float]) -> None:
    with pytest.raises(ConfigError, match="smallest and a largest factor"):
        ViewConfig.parse({"scales": list(scales)})


def test_filled_areas_are_labels_above_the_label_file(data: DataFolder) -> None:
    square = Polygon("dog", ((4, 4), (20, 4), (20, 12), (4, 12)), (((6, 6), (8, 6), (8, 8), (6, 8)),))
    bar = Bitmap("cat", 10, 5, 2, 3, (0, 6))
    alone = images(data, {"im0": Hints("im0", shapes=(square, bar))}).training_image("im0").seeds
    expected = np.full(SIZE, UNKNOWN, np.uint8)
    expected[4:12, 4:20] = 2
    expected[6:8, 6:8] = UNKNOWN
    expected[5:8, 10:12] = 1
    np.testing.assert_array_equal(alone, expected)
    assert Hints("im0", shapes=(square,)).kinds() == {Kind.MASK}
    both = images(data, {"im0": Hints("im0", mask="masks/im0.png", shapes=(square, bar))})
    below = images(data, {"im0": Hints("im0", mask="masks/im0.png")}).training_image("im0").seeds
    np.testing.assert_array_equal(both.training_image("im0").seeds, np.where(expected == UNKNOWN, below, expected))
    stroke = (Scribble("dog", ((10.5, 6.5),), width=1.0),)
    crossed = images(data, {"im0": Hints("im0", shapes=(*stroke, bar))}).training_image("im0").seeds
    assert crossed[6, 10] == UNKNOWN
    assert crossed[6, 11] == 1
    knowledge = both.geometry["im0"].knowledge
    assert knowledge.present.tolist() == [False, True, True]


@pytest.mark.parametrize(
    "region",
    [Polygon("cat", ((1, 1), (5, 1), (54, 9))), Bitmap("cat", 50, 0, 4, 1, (0, 4)), Bitmap("cat", 0, -2, 1, 3, (0, 3))],
)
def test_filled_areas_outside_are_refused(data: DataFolder, region: Bitmap | Polygon) -> None:
    with pytest.raises(HintError, match="outside the image"):
        images(data, {"im0": Hints("im0", shapes=(region,))})


def test_ignored_areas_take_labels_and_boxes_away(data: DataFolder) -> None:
    """Under them a mask says nothing, and complete boxes leave every class; a stroke above them counts."""
    left = Polygon(IGNORED, ((0, 0), (26, 0), (26, 40), (0, 40)))
    boxed = frozenset({"cat", "dog"})
    hints = {
        "im0": Hints("im0", mask="masks/im0.png", shapes=(left,)),
        "im1": Hints("im1", shapes=(Box("cat", 10, 10, 40, 30), left), boxed=boxed),
        "im2": Hints("im2", shapes=(Box("cat", 10, 10, 40, 30),), boxed=boxed),
        "im3": Hints("im3", shapes=(Click("dog", 5.5, 5.5), Box("cat", 30, 10, 40, 30), left)),
    }
    held = images(data, hints)
    seeds = held.training_image("im0").seeds
    assert (seeds[:, :26] == UNKNOWN).all()
    assert (seeds[:, 26:] != UNKNOWN).all()
    allowed = held.training_image("im1").candidates.allowed()
    assert allowed[:, :26].all()
    assert allowed[15, 30].tolist() == [True, True, False]
    assert allowed[5, 45].tolist() == [True, False, False]
    assert not held.training_image("im2").candidates.allowed()[5, 5, 1:].any()
    assert held.training_image("im3").seeds[5, 5] == 2
