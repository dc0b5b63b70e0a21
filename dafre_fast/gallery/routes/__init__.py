"""The routes of the gallery, a file for each group of them.

A group has `routes`: patterns of paths, without the prefix, and their handlers.
"""
