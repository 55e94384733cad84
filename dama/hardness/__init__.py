"""From preferences to facts, scores and alpha_data."""
