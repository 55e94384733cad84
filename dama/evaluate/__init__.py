"""From a model to answers and scores."""
