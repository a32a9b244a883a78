"""Drawings as numpy data. Nothing here imports torch."""
