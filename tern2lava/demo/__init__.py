"""The demonstration: its two networks, of the group digits of the zoo, and its command."""
