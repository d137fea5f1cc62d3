"""Music to learn from: data sets, and folders of one's own."""
