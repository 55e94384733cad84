"""Preferences to tensors to log-probabilities."""
