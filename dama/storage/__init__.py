"""Bytes and places: a local folder or S3, and artifacts that are whole or absent."""
