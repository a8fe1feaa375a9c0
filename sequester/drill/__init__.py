"""The drill: every known way out is really tried, with what stopped it, who saw it, and how long that took.

Importing this package imports nothing; `sequester.drill.outcome` is what reports are made from.
"""
