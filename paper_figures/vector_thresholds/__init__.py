"""Storage and learning thresholds of random-features networks against the dimension of spins; nothing published."""
