"""What a person writes: the run file."""
