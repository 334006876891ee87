"""Sightings to assets and links; what the center knows of the units it protects."""
