"""The pages over HTTP, on a real index."""
