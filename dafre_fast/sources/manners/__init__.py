"""Manners: how many downloads run at once, at which rate, and when a host gets no requests."""
