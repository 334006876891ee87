"""A kind that cannot be imported."""

raise RuntimeError("broken while it is written")
