"""``python -m soc_center`` is ``fengsui``."""

from soc_center.cli import main

main()
