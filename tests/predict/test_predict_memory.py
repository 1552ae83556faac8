import os
import subprocess
import sys
from pathlib import Path

import pytest

MEASURE = """
import resource, sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from conftest import Stub
from underpaint.predict import PredictConfig, Predictor

predictor = Predictor(Stub(21, side=1, stride=4), PredictConfig())
image = np.zeros((int(sys.argv[2]), int(sys.argv[3]), 3), np.uint8)
image[:] = 7  # touched, so that the image itself is in the first figure
predictor.index(image[:1024, :1024])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
predictor.index(image)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
def test_index_takes_a_tile_and_the_mask_whatever_the_size_of_the_image() -> None:
    height, width, classes = 5000, 6000, 21
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(Path(__file__).parent), str(height), str(width)],
        check=True,
        capture_output=True,
        text=True,
        # Freed arrays go back to the system at once; otherwise the peak depends on what malloc happens to keep.
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "1000000"},
    )
    growth = int(done.stdout) * 1024
    # Measured: 384 MB, of which the mask takes 30 and the logits of a tile 88. All probabilities would take 2.5 GB.
    assert growth < 4 * classes * height * width / 4
