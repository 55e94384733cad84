"""Language models that are asked: an engine in this process, or an endpoint."""
