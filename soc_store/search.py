"""The searches of the archive, with their words: what the query child answers.

DuckDB is loaded only when a search is done, so whoever asks may import this too.
"""

from soc_store.event_query import EventPage, EventQuery, FindingPage, FindingQuery
from soc_store.event_search import search_events
from soc_store.finding_search import search_findings

__all__ = ["EventPage", "EventQuery", "FindingPage", "FindingQuery", "search_events", "search_findings"]
