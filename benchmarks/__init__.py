"""Ratios of running times, measured within one process. Nothing here is a test."""
