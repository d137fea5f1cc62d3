"""Services on which a script can run."""
