"""Kinds of jobs: ``KIND.py`` with ``run(job, place)``; see ``soc_center.job_kind`` for what else one may say."""
