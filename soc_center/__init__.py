"""The running center: settings, the pipeline (read it first), processes, supervisor, drill and command line."""
