"""`make bench-search`: searches on a store of 150,000 resources and on one ten times as large."""
