"""Plots of matplotlib: curves, densities, latents, likelihoods."""
