"""Animations: what is on each frame, and the formats they are written in."""
