"""`gallery`: serve a finished dataset as pages for a browser."""
