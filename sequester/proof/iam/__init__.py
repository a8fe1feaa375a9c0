"""Policies, decided over all requests: patterns, conditions, statements."""
