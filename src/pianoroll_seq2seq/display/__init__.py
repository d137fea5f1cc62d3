"""Pictures, sound, notebook display, and HTML pages and reports."""
