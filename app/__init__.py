"""The composition root: settings, command line, child processes, the embedded mode."""
