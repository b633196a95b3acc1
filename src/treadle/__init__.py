"""Treadle: declare the data you want to exist; Treadle works out what has to run, runs it, and remembers."""
