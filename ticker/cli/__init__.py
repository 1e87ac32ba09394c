"""The command line: one module per command, each with a function of its name; nobody imports it."""
