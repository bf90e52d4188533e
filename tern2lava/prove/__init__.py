"""Translation validation: that core images are the integer program, for every input.

A second reader of both, which shares nothing with what wrote them: its own decoder of images, made from
docs/image-format.md, and its own reader of the program. numpy and the errors are all that it imports.
"""
