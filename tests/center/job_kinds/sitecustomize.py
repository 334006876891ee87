"""Adds the kinds of jobs of the tests to those of the center, in every Python that has this folder on its path."""

from pathlib import Path

from soc_center import jobs

jobs.__path__.append(str(Path(__file__).parent / "kinds"))
