"""Data sets, and folders of MIDI files."""
