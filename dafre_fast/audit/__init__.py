"""Find duplicates within and across splits, and the images to leave out.

Exact and near duplicates among the full images of a finished dataset are written to
audit/duplicates.parquet and .csv, audit/exclude.csv and audit/summary.json of it, or into another
folder, so that nothing is written in the dataset.
"""
