"""The engine: what is to be done, what is done, who does it, and the one place that joins them."""
