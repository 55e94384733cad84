"""A run file to Kubernetes objects: pure, no clock, no random numbers, no client."""
