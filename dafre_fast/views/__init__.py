"""Views: what people look at while a run goes on, and after it."""
