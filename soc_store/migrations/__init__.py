"""The migrations of the state database, run by ``soc_store.migration`` without a configuration file."""
