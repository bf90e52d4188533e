"""The fast engine: the integer reference's semantics, bit for bit, in compiled kernels over many samples."""
