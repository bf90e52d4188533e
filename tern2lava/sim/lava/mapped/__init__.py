"""Lava with a process for each core: core images as a Lava network whose connections are the images' routes."""
