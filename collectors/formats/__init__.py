"""What records mean: one file per format, ``NAME.py`` (functions) or ``NAME.yml`` (declared JSON)."""
