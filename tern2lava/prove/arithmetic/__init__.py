"""Proving that integers spike as the real dynamics do: a second opinion on certificates, of equations written anew."""
