"""Trackers: services and files that keep the metrics of a run."""
