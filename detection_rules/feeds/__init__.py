"""Indicator feeds as files: what CSV, STIX 2.1 and MISP say, read line by line or object by object."""
