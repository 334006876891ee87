"""Kinds of jobs: a module's name is the kind's; it has ``CAPS``, ``ATTEMPTS`` and ``run``."""
