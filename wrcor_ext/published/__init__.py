"""What scripts for the published `foresight` package call, on top of `wrcor_ext`: `python/foresight` hands it on."""
