"""`report`: write a page that shows what a finished dataset is."""
