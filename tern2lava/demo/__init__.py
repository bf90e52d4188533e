"""The two demonstration networks, trained by benchmarks/train_demo.py, and the samples they are tested on."""
