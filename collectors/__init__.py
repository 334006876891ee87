"""Collecting: bytes from a source become whole records (transports), and records become events (formats)."""
