"""What a notebook needs: a model that draws, and drawings that show themselves."""
