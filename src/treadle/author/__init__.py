"""What users write: decorators, definitions, resources, contexts. Running them is the runtime's work: see `port`."""
