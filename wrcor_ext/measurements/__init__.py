"""What proxies measure besides sums over responses: one file per need."""
