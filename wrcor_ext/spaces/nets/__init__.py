"""The `torch.nn` modules of the search spaces, one file per space; imported only when a network is built."""
