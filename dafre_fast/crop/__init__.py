"""Cut the head of every kept row of faces.tsv out of its original."""
