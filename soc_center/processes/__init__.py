"""The processes of a running center, one module each; every one runs alone with the same command."""
