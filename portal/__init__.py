"""The pages of Écluse: what is stored, where it stands, and the search in the reports."""
