"""`audit`: find duplicate images within and across splits."""
