"""Tests of what patients do behind the link of a mail."""
