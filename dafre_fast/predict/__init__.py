"""Name the characters in pictures with a model of `train`.

Pictures are files, folders or URLs, of every format that `full` reads. With --detector, heads are
found and cut out first, and each gets names; without one, the whole picture is taken for a head.
"""
