"""The network. ``config``, ``checkpoint`` and ``sketch_rnn_js`` are torch-free."""
