"""Errors that know where: every complaint about outside input is a Problem with its place."""


class Problem(Exception):
    """Bad input from outside: the place (``file:line``, a field, an item) and what is wrong there.

    ``str(problem)`` is ``place: what``, ready to show to a person. Subclasses narrow it; nothing else is raised for
    what a user or a source handed us.
    """

    def __init__(self, place: str, what: str) -> None:
        super().__init__(place, what)
        self.place = place
        self.what = what

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"
