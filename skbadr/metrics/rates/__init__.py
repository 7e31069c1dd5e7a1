"""Metrics that are functions of confusion matrices."""
