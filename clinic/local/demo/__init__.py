"""Fictional clinics: `fill` makes the demonstration, `large` one with years of history for measuring.

`people` are their names, `house` is the place with its staff and shifts, `diary` finds free chairs in it, `courses`
writes the fifteen courses of the demonstration.
"""
