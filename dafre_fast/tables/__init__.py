"""Tables: the rows of one dataset as polars frames. Lazy in, lazy out; I/O is scan and sink."""
