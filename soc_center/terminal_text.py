"""Text of others on a terminal."""


def plain(text: str) -> str:
    """The text without what could move the terminal's cursor."""
    return "".join(each if each.isprintable() else " " for each in text)
