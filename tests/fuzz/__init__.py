"""Requests that nobody should send: the server refuses each and goes on."""
