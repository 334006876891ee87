"""Where things are kept and how they are asked for: journal, outcome log, archive, state, query language.

Imports only soc_model. This file stays empty of imports, so that a process loads only the drivers of the store it
uses: the journal, the outcome log and the manifest need sqlite3 alone, the archive and the search DuckDB, the state
SQLAlchemy.
"""
