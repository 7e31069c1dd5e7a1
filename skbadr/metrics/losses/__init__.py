"""Metrics of losses: summaries of the groups' means."""
