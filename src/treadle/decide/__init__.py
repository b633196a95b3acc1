"""Decisions: pure functions from what is known, and the time, to what should happen next."""
