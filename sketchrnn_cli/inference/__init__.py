"""The network in use: plain numpy, no torch on a CPU."""
