"""The boxes of the pipeline, one file per stage."""
