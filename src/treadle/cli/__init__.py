"""The command line. One module a group of commands, loaded when one of its commands is called; nothing here is an
API."""
