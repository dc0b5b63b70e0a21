"""Find heads in a picture with a network.

`model` reads an ONNX file, `families/` turn the outputs of a network into boxes, `backends/` run
it, `fit` brings a picture to the size that it takes, and `detector` joins them.
"""
