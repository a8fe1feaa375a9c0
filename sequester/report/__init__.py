"""The evidence report: what is claimed, what holds it, what was tried, and what is not covered, on one page.

>>> report = gather(settings_file, drill=None)
>>> html = page(report)
"""
