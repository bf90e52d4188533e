"""Placement algorithms: where the cores of a partition lie on the mesh, all behind one interface (algorithms.py)."""
