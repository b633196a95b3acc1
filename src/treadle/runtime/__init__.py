"""Runs steps and says what happened. It meets the store only through the protocols in `ports`."""
