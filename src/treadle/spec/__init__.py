"""Definitions as frozen data: what every process, and the wire, knows about what users declared. Pure."""
