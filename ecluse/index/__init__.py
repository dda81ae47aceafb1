"""The text index of the reports: one room writes it, another one searches it."""
