"""A compiler from the BARE schema language (draft-devault-bare) to Python.

A schema goes through these modules, in this order. ``schema`` parses it, ``naming`` names what is anonymous, ``checks``
holds it against the rules. ``model`` gives every type one of the four ``shapes`` that Python has for it. ``family`` compares
the models of several versions. ``types`` writes classes and aliases. ``functions`` writes the functions, with ``decoding``
and ``encoding`` for their bodies, line by line as ``source``. ``module`` puts the files together.
"""
