"""Cut the head of every kept row of faces.tsv out of its original, or all heads of heads.parquet.

With --all-heads, each box of at least --count-threshold becomes {bucket}/{id}_{n}.jpg; n is the
place of the box among those of its image in heads.parquet, from 0.
"""
