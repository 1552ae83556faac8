"""The order of DICOM series, series that lie in one folder, and missing slices, on generated files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from underpaint.doctor import examine
from underpaint.doctor.findings import Level
from underpaint.imagefiles.images import find_images
from underpaint.imagefiles.series import series_in

AXIAL = (1, 0, 0, 0, 1, 0)
CORONAL = (1, 0, 0, 0, 0, -1)
"""Rows go along x, columns from the feet to the head: the normal is +y."""


def write(
    path: Path,
    uid: str,
    *,
    at: tuple[float, float, float] | None,
    number: int | None,
    turned: tuple[float, ...] = AXIAL,
) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = pydicom.uid.CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(str(path), {}, file_meta=meta, preamble=bytes(128))
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    data.SeriesInstanceUID, data.Modality, data.SeriesNumber = uid, "CT", int(uid[-1])
    data.Rows, data.Columns, data.SamplesPerPixel, data.PhotometricInterpretation = 40, 48, 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit, data.PixelRepresentation = 15, 1
    if at is not None:
        data.ImagePositionPatient, data.ImageOrientationPatient = list(at), list(turned)
    if number is not None:
        data.InstanceNumber = number
    data.PixelData = np.random.default_rng(number or 0).integers(-500, 500, (40, 48)).astype(np.int16).tobytes()
    data.save_as(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    (tmp_path / "classes.txt").write_text("background\nbone\n")
    return tmp_path / "images"


def test_slices_are_ordered_by_their_place_and_not_by_name_or_number(folder: Path) -> None:
    places = {"a": 30.0, "b": -10.0, "c": 0.0, "d": 10.0, "e": 20.0}
    for number, (name, z) in enumerate(places.items(), start=1):
        write(folder / f"{name}.dcm", "1.2.1", at=(5, 5, z), number=number)
    (only,) = series_in(find_images(folder))
    assert only.names == tuple("bcdea") == tuple(find_images(folder))
    assert (only.title, only.step, only.missing) == ("CT 1", 10, ())


def test_the_normal_decides_where_slices_are_not_axial(folder: Path) -> None:
    for name, y in (("a", 4.0), ("b", -2.0), ("c", 1.0)):
        write(folder / f"{name}.dcm", "1.2.1", at=(0, y, 99 - y), number=1, turned=CORONAL)
    (only,) = series_in(find_images(folder))
    assert (only.names, only.step) == (("b", "c", "a"), 3)


def test_instance_numbers_decide_without_places_and_at_one_place(folder: Path) -> None:
    for name, number in (("a", 3), ("b", 10), ("c", 2)):
        write(folder / f"{name}.dcm", "1.2.1", at=None, number=number)
    for name, number in (("x", 2), ("y", 1)):
        write(folder / f"{name}.dcm", "1.2.2", at=(0, 0, 7), number=number)
    first, second = series_in(find_images(folder))
    assert first.names == ("c", "a", "b")
    assert first.missing == ("6 between a and b",)
    assert (second.names, second.step, second.missing) == (("y", "x"), None, ())


def test_series_in_one_folder_and_a_scout_are_told_apart_and_missing_slices_named(folder: Path) -> None:
    for index in (0, 1, 2, 5, 6, 8):  # 3, 4 and 7 are missing; the two series take turns in the names
        write(folder / f"i{index:02d}a.dcm", "1.2.1", at=(0, 0, 2.5 * index), number=index)
        write(folder / f"i{index:02d}b.dcm", "1.2.2", at=(0, 0, -5.0 * index), number=index)
    write(folder / "i00scout.dcm", "1.2.1", at=(0, 0, 0), number=0, turned=CORONAL)
    (folder / "photo.dcm").write_bytes(b"no DICOM")
    found = series_in(find_images(folder))
    sides = {one.names: one for one in found}
    assert len(found) == 3
    first = sides[("i00a", "i01a", "i02a", "i05a", "i06a", "i08a")]
    assert first.missing == ("2 between i02a and i05a", "1 between i06a and i08a")
    second = sides[("i08b", "i06b", "i05b", "i02b", "i01b", "i00b")]
    assert second.missing == ("1 between i08b and i06b", "2 between i05b and i02b")
    assert ("i00scout",) in sides
    assert list(find_images(folder))[-1] == "photo"
    findings = {finding.key: finding for finding in examine(folder.parent).findings}
    said = findings["image-series"]
    assert (said.level, said.count) == (Level.NOTES, 13)
    assert "CT 1: 6 slice(s) 2.5 mm apart, i00a to i08a" in said.what
    assert "CT 2: 6 slice(s) 5 mm apart, i08b to i00b" in said.what
    gaps = findings["image-series-gaps"]
    assert (gaps.level, gaps.count) == (Level.WARNS, 4)
    assert "CT 1: 2 between i02a and i05a" in gaps.names
