"""Clients that other people wrote, against `ecluse up`."""
