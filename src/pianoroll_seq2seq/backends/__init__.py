"""Where a script runs, if not here."""
