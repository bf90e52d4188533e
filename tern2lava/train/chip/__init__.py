"""Training for a chip: zeros chosen so that the compiled network fits, and the last epochs through its integers."""
