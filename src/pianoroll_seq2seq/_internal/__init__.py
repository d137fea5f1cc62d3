"""Helpers that are not about music: atomic files, locks, limits, redaction."""
