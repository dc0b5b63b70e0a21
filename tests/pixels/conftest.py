from hypothesis import settings

# A slow machine is no failure.
settings.register_profile("calm")
settings.load_profile("calm")
