"""Sequence models: from past frames to distributions over the frames that follow."""
