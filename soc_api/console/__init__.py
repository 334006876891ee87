"""The console: pages for people, drawn on the server, every part of a page the same macro served alone to htmx."""
