"""Which spikes go where, and what they load."""
