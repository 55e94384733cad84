"""From a dataset to preferences."""
