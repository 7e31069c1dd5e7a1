"""Metrics that are made of others: several bounds at once, and parts of the data."""
