"""Kinds of jobs: ``KIND.py`` with ``run(job, place)``, and ``CAPS``, ``EVERY_S``, ``ATTEMPTS``, ``Params`` if wanted."""
