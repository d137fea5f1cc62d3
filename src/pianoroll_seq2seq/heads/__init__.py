"""Output heads: from the decoder's features to a distribution over the pitches of a frame."""
