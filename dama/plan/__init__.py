"""What a run will need: memory by component, time, and what to change when it does not fit."""
