"""The only client of a cluster's API server."""
