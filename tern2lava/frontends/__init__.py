"""Front ends: checkpoints, net descriptions and live modules read into a Graph (IMPORTED), or refused by name."""
