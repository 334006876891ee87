"""The pages: one module, one page."""
