"""What goes on without being asked: loops that read, decide and apply, under one leader's lease."""
