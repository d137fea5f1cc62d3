"""Sequence models: from frames heard to distributions over the frames that follow."""
