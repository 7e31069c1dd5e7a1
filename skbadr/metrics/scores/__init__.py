"""Metrics of scores, probabilities and real predictions."""
