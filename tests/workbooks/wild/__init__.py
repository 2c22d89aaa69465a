"""Lists as communes really keep them, and the rows that are expected of them.

Made from declarations, the same on every run: `python -m tests.workbooks.wild FOLDER` writes them
all. Nothing here knows how the app reads a file.
"""
