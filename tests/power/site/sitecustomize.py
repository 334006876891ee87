"""Loaded by every Python of the power-cut test: log files are rotated after a second, so that cuts fall around it."""

from soc_store import log_files

log_files.FILE_US = 1_000_000
