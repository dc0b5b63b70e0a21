"""`lists`: the part of a mirror's list of files that splits need, for rsync."""
