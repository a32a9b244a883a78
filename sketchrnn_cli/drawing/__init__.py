"""From sketches to pictures. Nothing here imports torch."""
