"""Which neurons of a sparse layer lie together, and on which core."""
