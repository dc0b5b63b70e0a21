"""Write a web page that shows a finished dataset, or the heads that `heads` found.

DIR/report/index.html has the funnel, classes, pictures, sizes, tags, refusals and a data card. The
folder opens from disk and needs nothing else. A part whose records cannot be read is left out, and
the page says so.
"""
