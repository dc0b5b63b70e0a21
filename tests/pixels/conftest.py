from hypothesis import settings

# A slow machine is no failure.
settings.register_profile("calm", deadline=None)
settings.load_profile("calm")
