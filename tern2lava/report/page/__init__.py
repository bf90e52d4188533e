"""The report as one page that opens offline: what it shows (document.py), and the file (page.py)."""
