"""Benches of the whole center: run as ``python -m bench.node``, results in ``bench/results``. Never imported by it."""
