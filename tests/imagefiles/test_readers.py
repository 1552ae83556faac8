"""Image files beyond photographs: what every reader gives is what was written, region by region."""

from __future__ import annotations

import contextlib
import datetime
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pillow_heif
import pydicom
import pytest
import rasterio
import tifffile
import zarr
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from rasterio.transform import from_origin

from underpaint.core.errors import DataError
from underpaint.imagefiles.images import find_images, image_size, read_rgb
from underpaint.imagefiles.opening import about_of, open_image
from underpaint.imagefiles.rule import COLOUR, ReadingRule, open_input, read_image
from underpaint.imagefiles.slices import slice_path

Values = NDArray[Any]


def noise(*shape: int, dtype: str = "uint16", top: int = 4000) -> Values:
    return np.random.default_rng(5).integers(0, top, shape).astype(dtype)


def dicom(path: Path, values: Values, *, slope: float = 1, intercept: float = 0) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = pydicom.uid.CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(path, {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    data.Rows, data.Columns, data.SamplesPerPixel = values.shape[-2], values.shape[-1], 1
    data.PhotometricInterpretation, data.BitsAllocated, data.BitsStored, data.HighBit = "MONOCHROME2", 16, 16, 15
    data.PixelRepresentation, data.RescaleSlope, data.RescaleIntercept = 1, slope, intercept
    data.PixelSpacing, data.ContentDate = [0.7, 0.6], datetime.date(2026, 1, 1).strftime("%Y%m%d")
    if values.ndim == 3:
        data.NumberOfFrames = len(values)
    data.PixelData = values.astype("<i2").tobytes()
    data.save_as(path, enforce_file_format=True)


def nifti(path: Path, values: Values) -> None:
    volume: Callable[..., Any] = nibabel.Nifti1Image
    nibabel.save(volume(values, np.diag([0.6, 0.7, 2, 1])), path)


def geotiff(path: Path, values: Values, **words: Any) -> None:
    profile = {
        "driver": "GTiff",
        "height": values.shape[1],
        "width": values.shape[2],
        "count": len(values),
        "dtype": values.dtype,
        "crs": "EPSG:32632",
        "transform": from_origin(500_000, 5_300_000, 0.5, 0.5),
        **words,
    }
    with rasterio.open(path, "w", **profile) as file:
        file.write(values)
        for number, name in enumerate(("red", "green", "blue", "nir")[: len(values)], start=1):
            file.set_band_description(number, name)


def ome(path: Path, values: Values) -> None:
    words = {"axes": "ZCYX", "PhysicalSizeX": 0.3, "PhysicalSizeY": 0.4, "Channel": {"Name": ["DAPI", "GFP"]}}
    tifffile.imwrite(path, values, metadata=words, photometric="minisblack")


def pyramid(path: Path, values: Values) -> None:
    with tifffile.TiffWriter(path) as file:
        file.write(values, tile=(64, 64), photometric="rgb", compression="deflate", subifds=1)
        file.write(values[::2, ::2], tile=(64, 64), photometric="rgb", compression="deflate", subfiletype=1)


BANDS = noise(4, 40, 60)
STACK = noise(3, 2, 40, 60)
FLOATS = noise(40, 60).astype(np.float32) / 7 - 100
CT = noise(50, 30, 4, dtype="int16") - np.int16(1000)
PICTURE = noise(150, 200, 3, dtype="uint8", top=256)

WAYS: dict[str, tuple[Callable[[Path], object], int | None, Values]] = {
    "bands.tif": (
        lambda p: tifffile.imwrite(p, np.moveaxis(BANDS, 0, -1), photometric="minisblack", planarconfig="contig"),
        None,
        np.moveaxis(BANDS, 0, -1),
    ),
    "apart.tif": (
        lambda p: tifffile.imwrite(p, BANDS, photometric="minisblack", planarconfig="separate"),
        None,
        np.moveaxis(BANDS, 0, -1),
    ),
    "floats.tif": (lambda p: tifffile.imwrite(p, FLOATS), None, FLOATS[..., None]),
    "ome.ome.tif": (lambda p: ome(p, STACK), 1, np.moveaxis(STACK[1], 0, -1)),
    "imagej.tif": (
        lambda p: tifffile.imwrite(p, STACK, imagej=True, metadata={"axes": "ZCYX"}),
        2,
        np.moveaxis(STACK[2], 0, -1),
    ),
    "pages.tif": (lambda p: tifffile.imwrite(p, STACK[:, 0], photometric="minisblack"), 2, STACK[2, 0][..., None]),
    "pyramid.tif": (lambda p: pyramid(p, PICTURE), None, PICTURE),
    "map.tif": (lambda p: geotiff(p, BANDS, tiled=True, blockxsize=16, blockysize=16), None, np.moveaxis(BANDS, 0, -1)),
    "slide.svs": (lambda p: pyramid(p, PICTURE), None, PICTURE),
    "ct.nii.gz": (
        lambda p: nifti(p, CT),
        3,
        CT[:, :, 3].T[..., None],
    ),
    "ct.dcm": (lambda p: dicom(p, CT[:, :, 0]), None, CT[:, :, 0][..., None]),
    "film.dcm": (lambda p: dicom(p, np.moveaxis(CT, 2, 0)), 2, CT[:, :, 2][..., None]),
    "array.zarr": (
        lambda p: zarr.create_array(store=str(p), data=STACK, chunks=(1, 1, 16, 16), dimension_names=list("zcyx")),
        1,
        np.moveaxis(STACK[1], 0, -1),
    ),
}


@pytest.mark.parametrize("name", WAYS)
def test_every_reader_gives_what_was_written_region_by_region(tmp_path: Path, name: str) -> None:
    write, number, values = WAYS[name]
    write(tmp_path / name)
    found = find_images(tmp_path)
    stem = name.removesuffix(".nii.gz").rpartition(".")[0] if not name.endswith(".nii.gz") else "ct"
    path = found[stem if number is None else f"{stem}/{number:04d}"]
    assert path == (tmp_path / name if number is None else slice_path(tmp_path / name, number))
    assert image_size(path) == values.shape[:2]
    with open_image(path) as image:
        assert len(image.about.bands) == values.shape[2]
        height, width = values.shape[:2]
        np.testing.assert_array_equal(image.read((0, height, 0, width)), values)
        np.testing.assert_array_equal(image.read((7, 29, 3, 21)), values[7:29, 3:21])
    assert read_rgb(path).shape == (*values.shape[:2], 3)


@pytest.mark.parametrize(("name", "count"), [("ome.ome.tif", 3), ("pages.tif", 3), ("ct.nii.gz", 4), ("film.dcm", 4)])
def test_a_stack_is_as_many_images_as_it_has_slices(tmp_path: Path, name: str, count: int) -> None:
    WAYS[name][0](tmp_path / name)
    assert len(find_images(tmp_path)) == count
    path = next(iter(find_images(tmp_path).values()))
    with pytest.raises(DataError, match=f"has {count} |holds {count} |stack of {count} "):
        about_of(path.parent)
    with pytest.raises(DataError, match=r"0 to \d+"):
        about_of(slice_path(path.parent, count))


def test_names_sizes_and_places_are_those_of_the_file(tmp_path: Path) -> None:
    for name in ("ome.ome.tif", "map.tif", "ct.nii.gz", "ct.dcm"):
        WAYS[name][0](tmp_path / name)
    slices = about_of(slice_path(tmp_path / "ome.ome.tif", 0))
    assert (slices.bands, slices.spacing, slices.unit) == (("DAPI", "GFP"), (0.4, 0.3), "um")
    chart = about_of(tmp_path / "map.tif")
    assert chart.bands == ("red", "green", "blue", "nir")
    assert chart.place is not None
    assert chart.place.transform == (0.5, 0, 500_000, 0, -0.5, 5_300_000)
    assert (chart.spacing, chart.unit, chart.place.pixel_area) == ((0.5, 0.5), "metre", 0.25)
    assert about_of(slice_path(tmp_path / "ct.nii.gz", 0)).spacing == pytest.approx((0.7, 0.6))
    assert about_of(tmp_path / "ct.dcm").spacing == (0.7, 0.6)


def test_values_of_ct_are_those_after_the_rescale(tmp_path: Path) -> None:
    dicom(tmp_path / "a.dcm", CT[:, :, 0], slope=2, intercept=-1024)
    with open_image(tmp_path / "a.dcm") as image:
        np.testing.assert_array_equal(image.read((0, 50, 0, 30))[..., 0], CT[:, :, 0] * 2.0 - 1024)


def test_a_heic_photograph_has_the_colours_of_the_picture(tmp_path: Path) -> None:
    smooth = np.asarray(Image.radial_gradient("L").resize((60, 40)))
    picture = np.stack([smooth, smooth[::-1], smooth[:, ::-1]], axis=2)
    pillow_heif.from_pillow(Image.fromarray(picture)).save(tmp_path / "a.heic", quality=95)
    assert image_size(tmp_path / "a.heic") == (40, 60)
    assert np.abs(read_rgb(tmp_path / "a.heic").astype(int) - picture).mean() < 6


def test_bands_are_chosen_by_name_each_through_its_window(tmp_path: Path) -> None:
    WAYS["map.tif"][0](tmp_path / "map.tif")
    rule = ReadingRule(("nir", "red"), ((1000, 3000), (0, 4000)))
    seen = read_image(tmp_path / "map.tif", rule)
    expected = np.stack([(BANDS[3] - 1000.0) / 2000 * 255, BANDS[0] / 4000 * 255], axis=2).clip(0, 255)
    assert np.abs(seen - expected).max() <= 0.5 + 1e-6
    with pytest.raises(DataError, match=r"no band swir[\s\S]*it has red, green, blue, nir"):
        read_image(tmp_path / "map.tif", ReadingRule(("swir",)))
    with pytest.raises(DataError, match=r"images\.bands=\[red,green,blue,nir\]"):
        read_image(tmp_path / "map.tif", COLOUR)


def test_empty_and_nameless_values_are_black_and_in_no_percentile(tmp_path: Path) -> None:
    values = np.linspace(10, 20, 2400, dtype=np.float32).reshape(1, 40, 60)
    values[0, :, :5], values[0, :, 5:8] = -9999, np.nan
    geotiff(tmp_path / "a.tif", values, nodata=-9999)
    with open_input(tmp_path / "a.tif", ReadingRule(("red",))) as image:
        (low, high) = image.windows[0]
        seen = image.read((0, 40, 0, 60))[..., 0]
    assert 10 <= low < 10.5 < 19.5 < high <= 20
    assert not seen[:, :8].any()
    assert seen[-1, -1] == 255


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [
        ("floats.tif", "tifffile", "tiff"),
        ("ct.nii.gz", "nibabel", "medical"),
        ("ct.dcm", "pydicom", "medical"),
        ("slide.svs", "tiffslide", "slide"),
        ("array.zarr", "zarr", "zarr"),
    ],
)
def test_a_missing_library_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, module: str, extra: str
) -> None:
    WAYS[name][0](tmp_path / name)
    monkeypatch.setitem(sys.modules, module, None)
    (path,) = find_images(tmp_path).values()
    with pytest.raises(DataError, match=rf"library {module}[\s\S]*pip install 'underpaint\[{extra}\]'"):
        read_rgb(path)


@pytest.mark.parametrize("name", WAYS)
def test_a_cut_file_gives_a_typed_error_or_an_image(tmp_path: Path, name: str) -> None:
    if name.endswith(".zarr"):
        pytest.skip("a folder")
    write, number, _ = WAYS[name]
    write(tmp_path / name)
    content = (tmp_path / name).read_bytes()
    for length in (0, 3, 131, len(content) // 3, len(content) - 20):
        (tmp_path / name).write_bytes(content[:length])
        path = tmp_path / name if number is None else slice_path(tmp_path / name, number)
        with contextlib.suppress(DataError):  # every other error fails the test
            assert read_rgb(path).ndim == 3
