"""What is fuzzed: readers of annotations, photographs, lists, settings, run folders, names, words of the command."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.fuzz_seeds import IMAGES, SIZE, TABLE, make_root, write_seeds
from PIL import Image

from underpaint.annotations.format import Format, Reading
from underpaint.annotations.registry import FORMATS
from underpaint.core.atomic import within
from underpaint.core.classes import read_classes
from underpaint.core.config import load_yaml, merge, parse_overrides
from underpaint.core.errors import UnderpaintError
from underpaint.core.paths import lies_in
from underpaint.datasets.splits import read_splits
from underpaint.doctor.image import Job, examine_image
from underpaint.hints.candidates import ImageKnowledge
from underpaint.hints.check import check_hints
from underpaint.hints.fit import fit_hints
from underpaint.hints.rasterise import paint_regions
from underpaint.imagefiles.images import find_images, image_size, read_rgb
from underpaint.imagefiles.masks import LabelFile, read_index_mask
from underpaint.imagefiles.naming import Names
from underpaint.imagefiles.survey import survey

DATA = Path(os.environ.get("UNDERPAINT_DATA", Path(__file__).resolve().parent.parent.parent / "shared" / "data"))

LIKELY = 640
"""Pixels of a side up to which a stated size is taken for the photograph's."""

PIXELS = 4_000_000
"""Limit of the photographs here: larger ones are decoded as well, but not within the time of an input."""

Read = Callable[[Path], None]
Seeds = list[tuple[Path, Path]]
"""A document as its reader takes it, and the file of it that is damaged."""


@dataclass(frozen=True)
class Target:
    """One thing that is fuzzed.

    Args:
        name: For the report.
        prepare: Writes sound files into an empty folder, and returns them with the way that a user's file takes.
        weight: Share of the inputs.
    """

    name: str
    prepare: Callable[[Path], tuple[Seeds, Read]]
    weight: float


def _reader(form: Format) -> Target:
    def prepare(folder: Path) -> tuple[Seeds, Read]:
        root = folder / "root"
        make_root(root)
        images = {one: root / "images" / f"{one}.png" for one in IMAGES}
        reading = Reading(TABLE, root, images)
        # What says nothing may be refused, though a writer of ours wrote it: an empty file, a picture that is all void.
        paths = [
            one for one in write_seeds(form, folder / "seeds", root, DATA) if not _says_nothing(form, one, reading)
        ]
        # A whole document, with each of its files in turn as the damaged one.
        seeds = [(path, file) for path in paths for file in ([path] if path.is_file() else sorted(path.rglob("*")))]
        return seeds, lambda whole: _read(form, whole, reading)

    return Target(form.name, prepare, 1.0)


def _says_nothing(form: Format, path: Path, reading: Reading) -> bool:
    try:
        _read(form, path, reading)
    except UnderpaintError:
        return path.name.startswith("written")
    return False


def _read(form: Format, whole: Path, reading: Reading) -> None:
    """The way of a user's file: recognition, class names, reading, the checks, fitting to the photograph, painting."""
    form.sniff(whole)
    if form.classes is not None:
        form.classes(whole)
    if form.images is not None:
        form.images(whole)
    found = form.hints(whole, reading)
    Names(reading.images).match([(whole, found)])
    for one in found.values():
        check_hints(one, None, whole)
        # The photograph has the size that is stated, as far as a photograph of that size is likely.
        size = one.size if one.size and max(one.size) <= LIKELY else SIZE
        fit = fit_hints(one, size, drop=True, where=whole).hints
        paint_regions(((0, region) for region in fit.regions), size)
        if set(fit.names()) <= set(TABLE.names):
            ImageKnowledge.of(fit, TABLE)


def _photographs(folder: Path) -> tuple[Seeds, Read]:
    picture = Image.radial_gradient("L").resize((48, 40))
    colour = Image.merge("RGB", (picture, picture.rotate(90), picture.rotate(180)))
    kinds: dict[str, tuple[Image.Image, dict[str, object]]] = {
        "a.jpg": (colour, {"exif": _turned()}),
        "b.png": (colour, {}),
        "c.png": (colour.quantize(8), {}),
        "d.bmp": (colour, {}),
        "e.tif": (colour, {}),
        "f.tif": (colour, {"compression": "tiff_lzw"}),
        "g.tif": (picture, {"compression": "tiff_adobe_deflate"}),
        "h.webp": (colour, {"lossless": True}),
        "i.webp": (colour, {}),
    }
    for name, (image, options) in kinds.items():
        image.save(folder / name, **options)  # type: ignore[arg-type]  # options by format

    def read(path: Path) -> None:
        for step in (
            lambda: image_size(path),
            lambda: read_rgb(path, max_pixels=PIXELS),
            lambda: read_index_mask(path, TABLE, max_pixels=PIXELS),
        ):
            with contextlib.suppress(UnderpaintError):
                step()
        if image_size(path)[0] * image_size(path)[1] <= PIXELS:
            examine_image(Job("a", path, (LabelFile(path, stated=True),), TABLE))

    return [(folder / name, folder / name) for name in kinds], read


def _stacks_and_maps(folder: Path) -> tuple[Seeds, Read]:
    """Files that other libraries than Pillow read, each in a folder of its own."""
    import nibabel
    import pillow_heif
    import tifffile
    import zarr

    values = np.random.default_rng(0).integers(0, 4000, (3, 2, 40, 48)).astype(np.uint16)
    bytes_ = (values[..., None].repeat(3, -1) >> 4).astype(np.uint8)[0, 0]
    make: Callable[..., Any] = nibabel.Nifti1Image
    volume = make(values[:, 0].T.astype(np.int16), np.eye(4))
    sizes = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 1.0}
    pillow_heif.register_heif_opener()
    writers: dict[str, Callable[[Path], object]] = {
        "a.ome.tif": lambda path: tifffile.imwrite(path, values, metadata={"axes": "ZCYX", **sizes}),
        "b.tif": lambda path: tifffile.imwrite(path, values[0, 0].astype(np.float32)),
        "c.tif": lambda path: tifffile.imwrite(path, np.moveaxis(values[:, 0], 0, -1), tile=(16, 16)),
        "d.tif": lambda path: _geotiff(path, values[0]),
        "e.nii": lambda path: nibabel.save(volume, path),
        "f.nii.gz": lambda path: nibabel.save(volume, path),
        "g.dcm": lambda path: _dicom(path, values[:1, 0]),
        "h.dcm": lambda path: _dicom(path, values[:, 0]),
        "i.heic": lambda path: Image.fromarray(bytes_).save(path),
        "j.zarr": lambda path: zarr.create_array(store=str(path), data=values, dimension_names=list("zcyx")),
        "k.svs": lambda path: _pyramid(path, bytes_),
    }
    wholes = []
    for name, write in writers.items():
        (folder / name[0]).mkdir()
        wholes.append(folder / name[0] / name)
        write(wholes[-1])

    def read(path: Path) -> None:
        found = list(find_images(path.parent).values())[:2]
        for step in (
            lambda: survey(dict(zip("ab", found, strict=False))),
            lambda: [read_rgb(one, max_pixels=PIXELS) for one in found],
        ):
            with contextlib.suppress(UnderpaintError):
                step()
        read_rgb(next(iter(found), path), max_pixels=PIXELS)

    return [(one, file) for one in wholes for file in ([one] if one.is_file() else sorted(one.rglob("*")))], read


def _geotiff(path: Path, values: np.ndarray) -> None:
    import rasterio

    words = {"driver": "GTiff", "height": 40, "width": 48, "count": 2, "dtype": "uint16", "crs": "EPSG:32632"}
    with rasterio.open(path, "w", transform=rasterio.Affine(2, 0, 5e5, 0, -2, 5e6), **words) as file:
        file.write(values)


def _dicom(path: Path, values: np.ndarray) -> None:
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(path, {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    data.Rows, data.Columns, data.SamplesPerPixel, data.NumberOfFrames = 40, 48, 1, len(values)
    data.PhotometricInterpretation, data.BitsAllocated, data.BitsStored, data.HighBit = "MONOCHROME2", 16, 16, 15
    data.PixelRepresentation, data.RescaleSlope, data.RescaleIntercept = 0, 1.5, -100
    data.PixelSpacing = [0.7, 0.6]
    data.PixelData = values.tobytes()
    data.save_as(path, enforce_file_format=True)


def _pyramid(path: Path, values: np.ndarray) -> None:
    import tifffile

    with tifffile.TiffWriter(path) as file:
        file.write(values, tile=(16, 16), photometric="rgb", compression="deflate", subifds=1)
        file.write(values[::2, ::2], tile=(16, 16), photometric="rgb", compression="deflate", subfiletype=1)


def _hints_on_maps(folder: Path) -> tuple[Seeds, Read]:
    """GeoJSON and GeoPackage in map coordinates, for an image with a place on the map."""
    import pyogrio.raw
    import shapely

    form = next(one for one in FORMATS if one.name == "geojson")
    image = folder / "root" / "images" / "a.tif"
    image.parent.mkdir(parents=True)
    _geotiff(image, np.zeros((2, 40, 48), np.uint16))
    area = shapely.Polygon([(5e5 + 4, 5e6 - 4), (5e5 + 60, 5e6 - 6), (5e5 + 30, 5e6 - 70)])
    shapes = shapely.to_wkb(np.array([area, area.boundary, area.centroid]))
    seeds = []
    for ending, driver in (("geojson", "GeoJSON"), ("gpkg", "GPKG")):
        seeds.append(folder / f"hints.{ending}")
        names = [np.array(["cat", "dog", "cat"], object)]
        words = {"driver": driver, "geometry_type": "Unknown", "crs": "EPSG:32632"}
        pyogrio.raw.write(seeds[-1], shapes, names, ["class"], **words)
    reading = Reading(TABLE, folder / "root", {"a": image})
    return [(seed, seed) for seed in seeds], lambda path: _read(form, path, reading)


def _turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif.tobytes()


def _lists(folder: Path) -> tuple[Seeds, Read]:
    texts = {
        "classes.txt": "background\ncat 255 0 0\ndog, 1, 2, 3\nblack sheep;7 8 9\n",
        "train.txt": "a\nd/b.png\nimages/a.jpg masks/a.png\nd\\b\n",
    }

    def read(path: Path) -> None:
        if path.name == "classes.txt":
            read_classes(path)
        else:
            read_splits([path], dict.fromkeys(IMAGES, path))

    return _written(folder, texts), read


def _settings(folder: Path) -> tuple[Seeds, Read]:
    from underpaint.methods.registry import OURS, method_class
    from underpaint.predict import PredictConfig
    from underpaint.training.config import RunConfig

    texts = {f"{name}.yaml": f"method: {{name: {name}, settings: {{}}}}\nseed: 3\n" for name in OURS}
    texts["all.yaml"] = (
        "method: {name: partial}\nmodel: {encoder: tf_efficientnet_lite0, width: 64, freeze_to: 2}\nseed: 7\n"
        "views: {crop: [64, 96], scales: [0.5, 2.0], flip: no, colour_jitter: 0.1}\n"
        "train: {epochs: 3, batch: 4, lr: 1.0e-3, ema: 0.9, precision: 32-true, workers: 0}\n"
    )
    texts["words.set"] = "train.epochs=3\nviews.crop=[64,64]\nmethod.name=partial\nseed=1\nmodel.weights=none\n"
    texts["predict.set"] = "scales=[0.5,1]\nflip=true\ntile=512\noverlap=64\nengine=torch\n"

    def read(path: Path) -> None:
        words = [] if path.suffix == ".yaml" else path.read_bytes().decode("utf-8", "surrogateescape").split("\n")
        held = load_yaml(path) if path.suffix == ".yaml" else parse_overrides([word for word in words if word])
        if path.name == "predict.set":
            PredictConfig.parse(held, "predict options")
            return
        config = RunConfig.parse(merge({"method": {"name": "partial"}}, held), path)
        method_class(config.method.name).Settings.parse(config.method.settings, path)
        config.train.steps(100, 1.0)

    return _written(folder, texts), read


def _run_folders(folder: Path) -> tuple[Seeds, Read]:
    import torch
    from safetensors.torch import save_file

    from underpaint.models.tensors import load_into, read_tensors
    from underpaint.training.checkpoint import load_checkpoint
    from underpaint.training.config import RunConfig
    from underpaint.training.run_folder import EventLog, RunFolder

    network = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    run = RunFolder.create(folder, RunConfig.parse({"method": {"name": "partial"}}), TABLE, {"data": "x", "names": "y"})
    line = {"event": "steps", "stage": "train", "step": 2, "lr": 0.5, "loss/seeds": 1.25}
    (folder / "events.jsonl").write_text(f"{json.dumps(line)}\n{json.dumps({**line, 'step': 4})}\n")
    save_file(network.state_dict(), folder / "weights.safetensors")
    state = folder / "checkpoints" / "step-00000002" / "state.json"
    state.parent.mkdir(parents=True)
    state.write_text(json.dumps({"step": 2, "inputs": "x", "sha256": {"weights": "0" * 64, "optimiser": "0" * 64}}))
    files = [path for path in (*folder.glob("*.*"), state) if path.is_file()]

    def read(path: Path) -> None:
        if path == state:
            try:
                load_checkpoint(folder / "checkpoints", "x")
            finally:  # a damaged checkpoint is removed, and the next input wants its place
                state.parent.mkdir(parents=True, exist_ok=True)
        elif path.suffix == ".safetensors":
            load_into(network, read_tensors(path), path)
        elif path.suffix == ".jsonl":
            content = path.read_bytes()
            EventLog(path, "train", 3).close()
            path.write_bytes(content)
        else:
            _ = run.config, run.classes, run.about

    return [(path, path) for path in files], read


def _names(folder: Path) -> tuple[Seeds, Read]:
    texts = {f"{i}.name": name for i, name in enumerate(("a", "masks/a.png", "d/b.v2.png", "~/a", "a b/c-1"))}
    images = {one: folder / f"{one}.png" for one in IMAGES}
    out = folder / "out"
    out.mkdir()

    def read(path: Path) -> None:
        name = path.read_bytes().decode("utf-8", "surrogateescape")
        Names(images).match([(folder / "labels.json", [name])])
        with contextlib.suppress(OSError):  # a name that is too long for the disk
            if not lies_in(within(out, name), out):
                raise AssertionError(f"{name!r} leads out of {out}")

    return _written(folder, texts), read


def _command(folder: Path) -> tuple[Seeds, Read]:
    from underpaint.cli import app
    from underpaint.cli.failures import explained

    root = folder / "root"
    make_root(root)
    (root / "classes.txt").write_text("".join(f"{name}\n" for name in TABLE.names))
    within(root / "masks", "d/b.png").write_bytes((root / "masks" / "a.png").read_bytes())
    texts = {
        "a.doctor": f"{root}\n--split\nall\n--rest\nbackground\n--json",
        "b.train": f"{root}\n-o\n{folder / 'run'}\n--method\nsupervised\n--set\ntrain.batch=2\n--split\nall",
        "c.methods": "",
    }

    def read(path: Path) -> None:
        words = [word for word in path.read_bytes().decode("utf-8", "surrogateescape").split("\n") if "\0" not in word]
        fixed = {".doctor": ["doctor"], ".train": ["train", "--dry-run"], ".methods": ["methods"]}[path.suffix]
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            try:
                app([*fixed, *words])
            except SystemExit as error:  # 2 where the words are off
                if error.code not in (0, None):
                    raise UnderpaintError(f"exit code {error.code}") from None
            except Exception as error:  # what is left, as the command itself answers it
                said = explained(error)
                raise (error if "is a bug in underpaint" in said.what else said) from None

    return _written(folder, texts), read


def _written(folder: Path, texts: dict[str, str]) -> Seeds:
    for name, text in texts.items():
        (folder / name).write_text(text or "--help")
    return [(folder / name, folder / name) for name in texts]


TARGETS: tuple[Target, ...] = (
    *(_reader(form) for form in FORMATS),
    Target("photographs", _photographs, 0.5),
    Target("stacks and maps", _stacks_and_maps, 1.0),
    Target("hints on maps", _hints_on_maps, 0.3),
    Target("lists", _lists, 1.0),
    Target("settings", _settings, 0.5),
    Target("run folders", _run_folders, 0.5),
    Target("names", _names, 1.0),
    Target("command", _command, 0.02),
)
