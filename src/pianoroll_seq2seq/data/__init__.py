"""Data for training: corpora, data sets, splits, augmentation, conditions and whole pieces."""
