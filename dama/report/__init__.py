"""Scores and logs -> one page, pictures, tables and a summary."""
