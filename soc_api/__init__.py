"""HTTP for people and systems: the API, the live stream and the console. Given everything, owning nothing."""
