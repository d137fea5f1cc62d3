"""Output heads: from a model's features to a distribution over the columns of a frame."""
