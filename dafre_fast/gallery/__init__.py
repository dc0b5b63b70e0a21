"""The `gallery` command: serve a finished dataset to a browser.

Images can be searched by class, tag, split, size and status.
"""
