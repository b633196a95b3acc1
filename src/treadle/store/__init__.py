"""What is remembered: events, and the state that follows from them, on SQLite. SQL lives here and nowhere else."""
