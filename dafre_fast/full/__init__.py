"""`full`: the whole run, from tables and originals to a dataset with its report."""
