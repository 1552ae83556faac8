"""Rows of a Parquet file, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from underpaint.core.errors import DataError
from underpaint.imagefiles.readers.base import library
from underpaint.shards.addresses import opened

ROWS = 4096
"""Number of rows in memory at a time."""


def parquet_rows(source: str) -> Iterator[dict[str, Any]]:
    """Yield the columns ``image`` and, if it exists, ``name`` of every row.

    Raises:
        DataError: Pyarrow is not installed, the file is damaged, or there is no column ``image``.
    """
    library("pyarrow", "parquet", source, "a Parquet file")
    import pyarrow
    from pyarrow import parquet

    with opened(source) as file:
        try:
            table = parquet.ParquetFile(file)
            columns = [name for name in ("image", "name") if name in table.schema_arrow.names]
            if "image" not in columns:
                raise DataError(
                    f"the columns are {', '.join(table.schema_arrow.names)}",
                    where=source,
                    accepted="a column image with paths or addresses, and optionally a column name",
                )
            for batch in table.iter_batches(ROWS, columns=columns):
                yield from batch.to_pylist()
        except pyarrow.ArrowException as error:
            raise DataError(f"the Parquet file cannot be read: {error}"[:300], where=source) from None
