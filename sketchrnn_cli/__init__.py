"""sketchrnn: a command line that learns to draw (Sketch-RNN, Ha & Eck 2017)."""

__version__ = "0.1.0"
