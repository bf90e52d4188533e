"""The one door through which files are read: regular, of bounded size, unpacked within bounds (docs/files.md)."""
