"""What searches read, taken from resources, and the same normal form for what queries ask.

One file for each search type: its `READERS` take index rows from each data type, its `normalise` is what both sides go
through.
"""
