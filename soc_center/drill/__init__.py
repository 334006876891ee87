"""The drill (演练): a campaign of our own over all six layers, sent in through the real ways in, and what came of it.

``scenario`` is the story as data, ``campaign`` turns it into timed records, ``play`` sends them, ``verdict`` compares
the alerts of realm drill with what was to be found, ``run`` is all of it in one call.
"""
