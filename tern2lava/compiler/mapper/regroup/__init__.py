"""Neurons gathered into groups by what they read, each group within a core: hypergraph partition."""
