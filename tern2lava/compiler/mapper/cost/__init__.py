"""What a part takes of a core."""
